    /// After a turn: registers the connection with epoll.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        let Some(registration) = self.connections.get_mut(token) else { return };
        let reading = EpollFlags::EPOLLIN | EpollFlags::EPOLLET | short_read::REPORTED;
        let event = EpollEvent::new(reading, token);
        // What else does a connection wait for, and when must epoll look at it anew?
        let ended = match turn {
            Turn::Close => true,
            _ if registration.interest.is_empty() => self.epoll.add(&registration.connection, event).is_err(),
            _ => false,
        };
        registration.interest = reading;
        if ended {
            // Closing the descriptor also takes it out of epoll, since it has no duplicate.
            self.connections.remove(token);
            self.open.fetch_sub(1, Relaxed);
        }
    }
