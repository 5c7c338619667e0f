//! Room for a number of connections, for servers that give each its own thread.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many more connections there may be.
#[derive(Debug)]
pub struct Room {
    free: Mutex<usize>,
    left: Condvar,
}

/// A place that is free again when it is dropped.
#[derive(Debug)]
pub struct Place<'room>(&'room Room);

impl Room {
    /// Room for `most` connections.
    pub fn new(most: usize) -> Self {
        Self { free: Mutex::new(most), left: Condvar::new() }
    }

    /// Waits for a place. To be called before accept(2): whoever finds none waits in the backlog.
    pub fn enter(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.left.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.left.notify_one();
    }
}
