//! A limit on the number of connections, for servers that have a thread for each.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many more connections there may be.
#[derive(Debug)]
pub struct Semaphore {
    permits: Mutex<usize>,
    released: Condvar,
}

/// The right to have one connection. It is returned when this value is dropped.
#[derive(Debug)]
pub struct Permit<'semaphore>(&'semaphore Semaphore);

impl Semaphore {
    /// A semaphore with `max` permits.
    pub fn new(max: usize) -> Self {
        Self { permits: Mutex::new(max), released: Condvar::new() }
    }

    /// Waits for a permit. To be called before accept(2): while there is none, clients wait in the backlog.
    pub fn acquire(&self) -> Permit<'_> {
        let permits = self.permits.lock().unwrap_or_else(PoisonError::into_inner);
        let permits = self.released.wait_while(permits, |permits| *permits == 0);
        *permits.unwrap_or_else(PoisonError::into_inner) -= 1;
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.permits.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.released.notify_one();
    }
}
