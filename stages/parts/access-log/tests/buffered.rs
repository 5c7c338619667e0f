//! A log line that was accepted is written; one that was not is counted.

use access_log::buffered::{Buffered, Sizes};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::thread;
use std::time::Duration;

/// How many lines a log tells to be lost.
fn told_lost(lines: &[String]) -> usize {
    let told = lines.iter().filter_map(|line| line.strip_suffix(" lines were lost"));
    told.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

/// The lines of a log file.
fn lines(mut file: &File) -> Vec<String> {
    file.seek(SeekFrom::Start(0)).expect("a file can be read again");
    let mut text = String::new();
    file.read_to_string(&mut text).expect("the log is text");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is cut: {text:?}");
    text.lines().map(str::to_owned).collect()
}

/// No process reads the pipe: appending must not wait, memory must not grow, and each line is there in the
/// end or is counted.
#[test]
fn a_stuck_file_costs_lines_that_are_counted_and_never_time() {
    const LINES: usize = 50_000;
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let sizes = Sizes { buffer: 4096, buffers: 4, max_age: Duration::from_millis(10) };
    let log = Buffered::new(File::from(writer), sizes).unwrap();
    for number in 0..LINES {
        log.append(format!("line {number}\n").as_bytes());
    }
    // The pipe holds 64 KiB, and the buffers 16 KiB: the rest is lost. Now it is read.
    let reading = thread::spawn(move || {
        let mut text = String::new();
        File::from(reader).read_to_string(&mut text).unwrap();
        text
    });
    let untold = log.close();
    drop(log);
    let lines: Vec<String> = reading.join().unwrap().lines().map(str::to_owned).collect();
    let written: Vec<usize> =
        lines.iter().filter_map(|line| line.strip_prefix("line ")?.parse().ok()).collect();
    assert!(written.is_sorted(), "out of order");
    assert_eq!(untold, 0);
    assert_eq!(written.len() + told_lost(&lines), LINES);
    assert!(written.len() < LINES / 2 && written.len() > 1_000, "{} lines", written.len());
}

/// All buffers are full, the last one nearly, and the writer has not run yet when the end comes: there is no
/// empty buffer to swap the last one for, and its lines must not be forgotten.
#[test]
fn the_end_takes_the_last_buffer_too() {
    for _ in 0..200 {
        let file = tempfile::tempfile().unwrap();
        let sizes = Sizes { buffer: 12, buffers: 4, max_age: Duration::from_secs(60) };
        let log = Buffered::new(file.try_clone().unwrap(), sizes).unwrap();
        for number in 10..25 {
            log.append(format!("{number}\n").as_bytes());
        }
        assert_eq!(log.close(), 0);
        // Where the writer was quick to take a buffer that was not full, the last ones had no room.
        let lines = lines(&file);
        let written = lines.iter().filter(|line| line.len() == 2).count();
        assert_eq!(written + told_lost(&lines), 15, "{lines:?}");
    }
}

/// Lines that are longer than a buffer, or come after the end, are counted and do no harm.
#[test]
fn what_does_not_fit_and_what_comes_too_late_is_counted() {
    let file = tempfile::tempfile().unwrap();
    let sizes = Sizes { buffer: 64, buffers: 2, max_age: Duration::from_secs(60) };
    let log = Buffered::new(file.try_clone().unwrap(), sizes).unwrap();
    log.append(&[b'x'; 65]);
    log.append(b"one\n");
    log.append(format!("{}\n", "y".repeat(100)).as_bytes());
    assert_eq!(log.close(), 0);
    log.append(b"late\nlater\n");
    assert_eq!(log.close(), 2);
    let lines = lines(&file);
    assert_eq!(lines[0], "one");
    assert_eq!((lines.len(), told_lost(&lines)), (2, 1), "{lines:?}");
}

/// What cannot be written at all is told of by the return value: the file is a full disk.
#[test]
fn a_full_disk_is_told_of() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("skipped: there is no /dev/full");
        return;
    };
    let log = Buffered::new(full, Sizes::default()).unwrap();
    log.append(b"one\ntwo\n");
    assert_eq!(log.close(), 2);
}
