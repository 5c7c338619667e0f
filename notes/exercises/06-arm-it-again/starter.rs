    /// After a turn: releases the connection, or closes it.
    pub fn update_interest(&self, shared: &SharedConnection, turn: Turn) {
        // The kernel has disarmed the descriptor with the event, and nobody arms it again.
        let arm = |_: &Connection| Ok(());
        if matches!(turn, Turn::Close) || shared.rearm(arm).is_err() {
            self.close(shared);
        }
    }
