    /// The events that the connection waits for.
    pub fn interest(&self) -> EpollFlags {
        // The same, whether it waits for a request or for room to send the rest of a reply.
        EpollFlags::EPOLLIN
    }
