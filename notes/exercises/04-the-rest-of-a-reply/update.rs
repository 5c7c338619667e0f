    /// After a turn: closes the connection if it is over.
    fn update_interest(&mut self, token: Token, turn: Turn) {
        // epoll goes on reporting what the connection was registered for, whatever it waits for now.
        if matches!(turn, Turn::Close) {
            // Closing the descriptor also takes it out of epoll, since it has no duplicate.
            self.connections.remove(token);
        }
    }
