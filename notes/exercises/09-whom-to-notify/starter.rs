    /// A connection waits: notifies a child, and stops watching until it answers. The listener stays readable
    /// until a child has accepted, so a parent that went on watching would do nothing else.
    pub fn notify(&mut self, children: &mut Children, epoll: &Epoll) -> nix::Result<()> {
        // Always the first one that has answered, and for as long as that one takes.
        children.notify_next(0, false);
        self.watch = Watch::NoIdleWorker;
        self.set_interest(epoll, EpollFlags::empty())
    }
