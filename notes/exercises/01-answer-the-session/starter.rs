    // This asks the session only until its first answer has been sent, and gives up whenever something else
    // than bytes comes. Each of its five answers needs an arm that does what it asks, and tells it so.
    loop {
        timeouts.update(&session, clock.last())?;
        match session.next(clock.last()) {
            Next::Read => match read(socket, buffer)? {
                0 => return Ok(()),
                count => session.received(&buffer[..count], clock.read()),
            },
            Next::Write(output) => {
                output.write_to(socket)?;
                return Ok(());
            }
            Next::Work(_) | Next::ShutdownWrite | Next::Close => return Ok(()),
        }
    }
