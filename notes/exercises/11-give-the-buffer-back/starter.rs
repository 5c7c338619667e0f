    /// An operation has completed: lets its connection go on.
    fn handle_completion(&mut self, user_data: u64, entry: &cqueue::Entry) -> io::Result<()> {
        let Some((token, operation)) = Operation::of(user_data) else { return Ok(()) };
        let Some(connection) = self.connections.get_mut(token) else { return Ok(()) };
        // New in 11: bytes arrive in a buffer that the kernel has picked.
        let buffer = cqueue::buffer_select(entry.flags());
        let bytes = buffer.map_or(&[][..], |id| self.buffers.get(id, entry.result().max(0) as usize));
        connection.complete(operation, entry, bytes, &mut self.proactor, self.clock.last())?;
        // The kernel has lent us the buffer, and nobody returns it.
        connection.drive(&mut self.proactor, &mut self.clock)?;
        if connection.is_over() { self.remove(token) } else { Ok(()) }
    }
