/// How far a turn reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drain {
    /// One read
    Once,
    /// Until a read did not fill the buffer
    UntilShort,
    /// Until the kernel says that nothing is left (EAGAIN)
    UntilWouldBlock,
}
