    /// Takes an item out, waiting for one; `None` when the queue is empty and no sender is left.
    pub fn recv(&self) -> Option<T> {
        loop {
            let mut state = self.0.state.lock();
            if let Some(item) = state.items.pop_front() {
                drop(state);
                self.0.not_full.notify_one();
                return Some(item);
            }
            if state.senders == 0 {
                return None;
            }
            drop(state);
            // It looks again and again, whether anybody has sent something or not.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
