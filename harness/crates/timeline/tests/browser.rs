//! The committed pages in a browser: stepped through from the beginning to the end, on a screen and on a
//! phone. Skipped where no browser is.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Generous: a small machine that does other things starts a browser in seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Around each page in a frame of a width: presses the right arrow until nothing changes, and says what it
/// saw.
const AROUND: &str = include_str!("around.html");

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let places = || std::env::split_paths(&path);
    names.iter().flat_map(|name| places().map(move |place| place.join(name))).find(|file| file.is_file())
}

/// Opens a page without any network, lets its scripts run, and returns what it has become.
fn dump(browser: &Path, page: &Path, scratch: &Path) -> String {
    let output = scratch.join("dom.html");
    let mut child = Command::new(browser)
        // The page is our own, and a container seldom allows a sandbox within.
        .args(["--headless", "--disable-gpu", "--no-first-run", "--no-sandbox", "--disable-dev-shm-usage"])
        .args(["--disable-breakpad", "--disable-crash-reporter", "--host-resolver-rules=MAP * ~NOTFOUND"])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", scratch.join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(File::create(&output).expect("a file"))
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the browser starts");
    let begun = Instant::now();
    let ended = loop {
        match child.try_wait().expect("our child") {
            Some(status) => break status.success(),
            None if begun.elapsed() > LIMIT => break false,
            None => sleep(Duration::from_millis(20)),
        }
    };
    // Its helpers too; none is left if it ended by itself.
    let group = nix::unistd::Pid::from_raw(child.id().try_into().expect("a process id"));
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    let _ = child.wait();
    assert!(ended, "the browser failed, or did not end in {LIMIT:?}");
    fs::read_to_string(output).expect("text")
}

/// Protects a reader who steps through a page with the arrow keys: each step is reached, on either width
/// nothing scrolls sideways, and the place of the step is inside of the picture.
#[test]
fn every_page_can_be_stepped_through_on_a_screen_and_on_a_phone() {
    let Some(browser) = browser() else {
        eprintln!("skipped: chromium is not installed");
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../notes/src/timelines");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "html"));
    let pages: Vec<String> = files.iter().map(|file| fs::read_to_string(file).expect("a page")).collect();
    assert!(pages.len() >= 10);
    let scratch = tempfile::tempdir().expect("a folder");
    let pages_in_json = serde_json::to_string(&pages).expect("JSON").replace('<', "\\u003c");
    let around = scratch.path().join("around.html");
    fs::write(&around, AROUND.replace("PAGES", &pages_in_json)).expect("written");
    let dom = dump(&browser, &around, scratch.path());
    let said: Vec<&str> = dom
        .split("<li>")
        .skip(1)
        .filter_map(|rest| rest.split("</li>").next())
        .filter(|text| text.len() < 200)
        .collect();
    let good = said.iter().filter(|text| text.contains(": good ")).count();
    assert_eq!(good, 2 * pages.len(), "{said:?}");
}
