        let state = &self.state;
        if self.reactor.now().draining && !state.told.replace(true) {
            return Poll::Ready(Ok(Event::Stop));
        }
        if self.is_ready(direction) {
            return Poll::Ready(Ok(Event::Ready));
        }
        self.watch(fd, direction)?;
        // Nobody knows yet whom to wake. So the task is polled again, and again.
        context.waker().wake_by_ref();
        Poll::Pending
