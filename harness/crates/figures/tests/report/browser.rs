//! A browser without a window, bounded in time, that leaves no process behind.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Generous: a small machine that does other things starts a browser in seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// The browser on PATH, if there is one.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let places = || std::env::split_paths(&path);
    names.iter().flat_map(|name| places().map(move |place| place.join(name))).find(|file| file.is_file())
}

/// Opens a page without any network, lets its scripts run, and returns what the page has become.
pub(crate) fn dump(chromium: &Path, page: &Path, width: u32, scratch: &Path) -> String {
    let (profile, output) =
        (scratch.join(format!("profile-{width}")), scratch.join(format!("dom-{width}.html")));
    let mut child = Command::new(chromium)
        .args([
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-breakpad",
            "--disable-crash-reporter",
        ])
        // The page is our own, and a container seldom allows a sandbox within.
        .arg("--no-sandbox")
        .arg("--disable-dev-shm-usage")
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg("--virtual-time-budget=20000")
        .arg(format!("--window-size={width},1000"))
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(File::create(&output).expect("a file"))
        .stderr(File::create(scratch.join("browser.log")).expect("a file"))
        .process_group(0)
        .spawn()
        .expect("the browser starts");
    let group = Pid::from_raw(child.id().try_into().expect("a process id"));
    let deadline = Instant::now() + LIMIT;
    let ended = loop {
        match child.try_wait().expect("our child") {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => break None,
            None => sleep(Duration::from_millis(20)),
        }
    };
    // Its helpers too; none is left if it ended by itself.
    let _ = killpg(group, Signal::SIGKILL);
    let _ = child.wait();
    let log = fs::read_to_string(scratch.join("browser.log")).unwrap_or_default();
    assert!(ended.is_some_and(|status| status.success()), "the browser ended with {ended:?}:\n{log}");
    fs::read_to_string(output).expect("text")
}
