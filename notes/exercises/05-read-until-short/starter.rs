    /// Whether to read again at once after a turn that ended like this; `reads` turns came before it.
    pub fn continues(self, turn: &Turn, reads: usize) -> bool {
        let wants_more = match self {
            Drain::Once => false,
            // Here a turn reads once, as with `once`. How does it know that the socket may hold more?
            Drain::UntilShort => false,
            Drain::UntilWouldBlock => true,
        };
        wants_more && matches!(turn, Turn::Served) && reads < MAX_READS
    }
