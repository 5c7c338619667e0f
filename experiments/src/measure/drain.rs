//! The other end of a connection into which files are sent.

use super::pin::{Pinned, cpu};
use anyhow::{Result, anyhow, ensure};
use nix::sys::socket::{MsgFlags, recv};
use sending_files::Files;
use std::fs::File;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::thread::{JoinHandle, spawn};

/// A connection whose other end reads and forgets.
#[derive(Debug)]
pub struct Drain {
    stream: TcpStream,
    reader: Option<JoinHandle<()>>,
}

impl Drain {
    /// Connected, with a reader on the second CPU.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn new() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let (far, _) = listener.accept()?;
        let far_cpu = cpu(1);
        let reader = spawn(move || {
            let _pinned = Pinned::to(far_cpu);
            let mut buffer = vec![0; 1 << 20];
            // MSG_TRUNC: the kernel throws the bytes away and copies none (tcp(7)).
            while recv(far.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC).is_ok_and(|count| count > 0) {}
        });
        Ok(Self { stream, reader: Some(reader) })
    }

    /// Sends a whole file.
    ///
    /// # Errors
    /// What the calls say; that the file is shorter than that.
    pub fn send(&self, file: &File, size: usize, way: Files) -> Result<()> {
        let send_file = way.send_file();
        let mut offset = 0;
        while offset < size {
            let sent = send_file(self.stream.as_fd(), file, offset as u64, size - offset)
                .map_err(|error| anyhow!("the file cannot be sent: {error}"))?;
            ensure!(sent > 0, "the file became shorter");
            offset += sent;
        }
        Ok(())
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        let _ = self.reader.take().map(JoinHandle::join);
    }
}
