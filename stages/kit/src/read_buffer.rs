//! Bytes that have arrived on one connection and could not be parsed yet.

/// Bytes that have arrived and could not be parsed yet.
#[derive(Debug, Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    consumed: usize,
}

impl ReadBuffer {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.consumed
    }

    /// Whether no byte waits.
    pub fn is_empty(&self) -> bool {
        // `consume` resets an emptied buffer, so a non-empty vector has a byte left.
        self.bytes.is_empty()
    }

    /// The bytes that wait.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.consumed..]
    }

    /// Appends bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops the first `count` bytes. Most often nothing is moved: pipelined requests are taken one by one,
    /// and closing the gap each time would move the rest once for every request.
    pub fn consume(&mut self, count: usize) {
        self.consumed += count;
        if self.consumed == self.bytes.len() {
            // An idle connection keeps no memory.
            *self = Self::default();
        } else if self.consumed > self.bytes.len() / 2 {
            self.bytes.drain(..self.consumed);
            self.consumed = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects pipelined requests: whatever is consumed in between, the rest stays in order and is not lost.
    #[test]
    fn the_rest_stays_in_order_and_an_emptied_buffer_owns_no_memory() {
        let input: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for step in [1, 7, 100, 4_999, 5_001, 10_000] {
            let mut buffer = ReadBuffer::default();
            let mut seen = Vec::new();
            for chunk in input.chunks(1_000) {
                buffer.extend(chunk);
                while buffer.len() >= step {
                    seen.extend_from_slice(&buffer.as_slice()[..step]);
                    buffer.consume(step);
                }
            }
            seen.extend_from_slice(buffer.as_slice());
            buffer.consume(buffer.len());
            assert_eq!(seen, input, "{step}");
            assert!(buffer.is_empty() && buffer.bytes.capacity() == 0, "{step}");
        }
    }
}
