//! The files of records in `results/data`.

use super::{Key, Phase, Record};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::statvfs::statvfs;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Writes the records of one run to a file of its own.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    /// The length of the whole lines, bytes.
    length: u64,
}

impl Writer {
    /// Makes `DIRECTORY/NAME.jsonl`; if that is there, `NAME-2.jsonl` and so on. Never touches another run.
    pub fn create(directory: &Path, name: &str) -> Result<Self> {
        let cannot = || format!("cannot write to {}", directory.display());
        fs::create_dir_all(directory).with_context(cannot)?;
        for attempt in 1.. {
            let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
            let path = directory.join(format!("{name}{suffix}.jsonl"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => {
                    lock(&file, &path)?;
                    return Ok(Self { file, path, length: 0 });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(cannot),
            }
        }
        unreachable!("there is always a next number")
    }

    /// Goes on with the file of a run that was interrupted. A last line that was cut is taken off: it is no
    /// record.
    pub fn resume(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot go on with {}", path.display());
        let file = OpenOptions::new().append(true).open(path).with_context(cannot)?;
        lock(&file, path)?;
        let bytes = fs::read(path).with_context(cannot)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).with_context(cannot)?;
        Ok(Self { file, path: path.to_owned(), length: whole as u64 })
    }

    /// Appends a record. One write per line, without a buffer: a run that is killed leaves whole lines, and
    /// at most one that is cut. A line that did not fit on the disk is taken off again.
    pub fn write(&mut self, record: &impl Serialize) -> Result<()> {
        let there = self.file.metadata().is_ok_and(|file| file.nlink() > 0 && file.len() == self.length);
        ensure!(there, "{} was removed or changed by another program", self.path.display());
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let written =
            self.file.write_all(&line).with_context(|| format!("cannot write to {}", self.path.display()));
        match written {
            Ok(()) => self.length += line.len() as u64,
            // The first error is the one to tell; a reader leaves a cut line out anyway.
            Err(_) => drop(self.file.set_len(self.length)),
        }
        written
    }

    /// Takes away a file of a run that has measured nothing: it would only stand in the way of the next one.
    pub fn discard(path: &Path) -> Result<()> {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Two runs that wrote to one file would make one run of both. The lock ends with the process.
fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => bail!("{} is being written by another run", path.display()),
        // Where the file system knows no locks there is none.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Refuses to begin what the disk has no room for: a directory that will be made, and the bytes that will be
/// written.
pub fn ensure_room(directory: &Path, bytes: u64) -> Result<()> {
    let there = directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    // Where the free room cannot be asked for, writing will tell.
    let Ok(disk) = statvfs(there) else { return Ok(()) };
    let free = disk.blocks_available() * disk.fragment_size();
    let kilobytes = |bytes: u64| bytes.div_ceil(1024);
    ensure!(
        free >= bytes,
        "cannot write to {}: {} KB are free, and {} KB may be needed",
        directory.display(),
        kilobytes(free),
        kilobytes(bytes)
    );
    Ok(())
}

/// Reads the records of a file. A last line that was cut is left out; any other bad line is an error. So is a
/// failure that a later try has made good. What limited the speed is decided anew.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = lines(path)?;
    let mut measured: HashMap<_, usize> = HashMap::new();
    let has_figures = |record: &&Record| record.skipped().is_none() && !record.context.dropped;
    for record in records.iter().filter(has_figures) {
        *measured.entry(point_of(record)).or_default() += 1;
    }
    // A failure in the open loop does not say at which of the rates: all of them must be there.
    let has_rates = |key: &Key| matches!(key.phase, Phase::Latency | Phase::Overload);
    let loops = measured.iter().filter(|((key, ..), _)| has_rates(key));
    let rates = loops.map(|(_, count)| *count).max().unwrap_or(0);
    let is_made_good: Vec<bool> = records
        .iter()
        .map(|record| {
            let needed = if has_rates(&record.key) { rates } else { 1 };
            let found = measured.get(&point_of(record)).copied().unwrap_or(0);
            record.skipped().is_some() && found > 0 && found >= needed
        })
        .collect();
    let mut is_made_good = is_made_good.into_iter();
    records.retain(|_| !is_made_good.next().unwrap_or(false));
    records.iter_mut().for_each(Record::decide_limiter);
    Ok(records)
}

/// What a point of a run is known by.
fn point_of(record: &Record) -> (&Key, u32, u64) {
    (&record.key, record.context.round, record.context.seed)
}

/// The same for lines of any kind.
pub(super) fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut records = Vec::new();
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    // What follows the last line feed is empty, or the beginning of a line that was never finished.
    for (at, line) in lines[..lines.len() - 1].iter().enumerate() {
        if !line.trim_ascii().is_empty() {
            let record = serde_json::from_slice(line);
            records.push(record.with_context(|| format!("{}, line {}", path.display(), at + 1))?);
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{record, skipped};

    fn written(records: &[Record]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut writer = Writer::create(&directory.path().join("data"), "run").expect("a new file");
        records.iter().for_each(|record| writer.write(record).expect("written"));
        let path = writer.path().to_owned();
        (directory, path)
    }

    #[test]
    fn what_is_written_is_read() {
        let skipped = skipped(record("01", "ab", 64, true, 1.0), "it would hang");
        let records = [record("05", "wrk", 64, true, 12345.678), skipped];
        let (_directory, path) = written(&records);
        assert_eq!(read(&path).expect("whole lines"), records);
    }

    /// Older records name the generator where both sides were busy.
    #[test]
    fn the_limit_is_decided_anew_where_the_use_of_the_cpus_is_known() {
        use crate::Bottleneck;
        let of = |server: Option<f64>, generator| {
            let mut record = record("05", "wrk", 64, true, 10.0);
            let figures = record.figures_mut().expect("measured");
            (figures.server_cpu_seconds, figures.generator_cpu_seconds) = (server, generator);
            figures.limiter = Bottleneck::Generator;
            record
        };
        let mut remote = of(Some(0.97), 0.5);
        remote.context.generator_host = Some("another".into());
        let (_directory, path) = written(&[of(Some(0.97), 0.99), of(Some(0.6), 0.99), of(None, 0.5), remote]);
        let limits =
            read(&path).expect("whole lines").into_iter().map(|record| record.figures().map(|f| f.limiter));
        let expected =
            [Bottleneck::Both, Bottleneck::Generator, Bottleneck::Generator, Bottleneck::Generator];
        assert_eq!(limits.collect::<Vec<_>>(), expected.map(Some));
    }

    #[test]
    fn a_failure_that_was_made_good_is_no_longer_told() {
        let good = |stage: &str| record(stage, "wrk", 64, true, 10.0);
        let failed = |stage: &str| skipped(good(stage), "refused: the server has died");
        let mut of_another = failed("04");
        of_another.key.workers = Some(2);
        let (_directory, path) = written(&[failed("04"), failed("05"), of_another.clone(), good("04")]);
        assert_eq!(read(&path).expect("whole lines"), [failed("05"), of_another, good("04")]);
    }

    /// A run that is killed in mid-write costs its last record only, wherever it was cut.
    #[test]
    fn a_file_cut_anywhere_gives_its_whole_lines() {
        let records = [record("04", "ab", 1, false, 10.0), record("05", "wrk", 64, true, 20.0)];
        let (_directory, path) = written(&records);
        let bytes = fs::read(&path).expect("it is there");
        for cut in 0..bytes.len() {
            fs::write(&path, &bytes[..cut]).expect("written");
            let whole = bytes[..cut].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(read(&path).expect("a cut is no damage"), records[..whole], "cut at {cut}");
        }
        fs::write(&path, [b"{}\n", bytes.as_slice()].concat()).expect("written");
        assert!(read(&path).is_err(), "a bad line in the middle is damage");
    }

    #[test]
    fn an_interrupted_run_goes_on_after_its_last_whole_line() {
        let records = [record("04", "ab", 1, false, 10.0), record("05", "wrk", 64, true, 20.0)];
        let (_directory, path) = written(&records);
        let bytes = fs::read(&path).expect("it is there");
        fs::write(&path, &bytes[..bytes.len() - 3]).expect("written");
        Writer::resume(&path).expect("it is ours").write(&records[1]).expect("written");
        assert_eq!(read(&path).expect("whole lines"), records);
    }

    #[test]
    fn what_the_disk_has_no_room_for_is_refused_before_it_is_begun() {
        let directory = tempfile::tempdir().expect("a directory");
        let below = directory.path().join("not/yet/there");
        ensure_room(&below, 1).expect("a byte fits");
        let error = ensure_room(&below, u64::MAX / 2).expect_err("more than any disk has").to_string();
        assert!(error.contains("cannot write to") && error.contains("KB are free"), "{error}");
        assert!(!below.exists());
    }

    #[test]
    fn a_file_has_one_writer_and_is_not_written_to_once_it_is_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut writer = Writer::create(directory.path(), "run").expect("a new file");
        writer.write(&record("04", "ab", 1, false, 10.0)).expect("written");
        let path = writer.path().to_owned();
        let error = Writer::resume(&path).expect_err("it is locked").to_string();
        assert!(error.contains("by another run"), "{error}");
        fs::remove_file(&path).expect("removed");
        let error = writer.write(&record("04", "ab", 1, false, 10.0)).expect_err("it is gone").to_string();
        assert!(error.contains("was removed"), "{error}");
    }

    #[test]
    fn a_run_never_writes_to_the_file_of_another() {
        let (directory, first) = written(&[record("04", "ab", 1, false, 10.0)]);
        let before = fs::read(&first).expect("it is there");
        let mut second = Writer::create(&directory.path().join("data"), "run").expect("a new file");
        second.write(&record("05", "ab", 1, false, 10.0)).expect("written");
        assert_ne!(second.path(), first);
        assert_eq!(fs::read(&first).expect("it is there"), before);
    }
}
