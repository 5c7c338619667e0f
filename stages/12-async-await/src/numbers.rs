//! Small numbers for what has no descriptor, for [`kit::connection_table::ConnectionTable`].

/// Hands out numbers, and each of them again when it has come back.
#[derive(Debug, Default)]
pub struct Numbers {
    free: Vec<usize>,
    next: usize,
}

impl Numbers {
    /// A number that nobody has.
    pub fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// The number may be handed out again.
    pub fn put_back(&mut self, number: usize) {
        self.free.push(number);
    }
}
