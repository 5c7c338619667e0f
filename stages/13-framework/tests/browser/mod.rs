//! A browser without a window, driven over the Chrome DevTools Protocol, that leaves no process behind.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket, client::client};

/// Generous: a small machine that does other things starts a browser in seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// One page of one browser.
pub(crate) struct Browser {
    child: Child,
    socket: WebSocket<TcpStream>,
    session: String,
    calls: u64,
    /// What the page's console and its errors said.
    pub(crate) complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

/// The browser on PATH, if there is one.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let places = || std::env::split_paths(&path);
    names.iter().flat_map(|name| places().map(move |place| place.join(name))).find(|file| file.is_file())
}

impl Browser {
    /// Starts the program with an empty page.
    pub(crate) fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(program)
            .args(["--headless", "--disable-gpu", "--no-first-run", "--disable-breakpad"])
            // The page is our own, and a container seldom allows a sandbox within.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-crash-reporter"])
            .args(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("the browser starts");
        let begun = Instant::now();
        // It writes the port that it has chosen, and the path, when it listens.
        let (port, path) = loop {
            let text = std::fs::read_to_string(profile.path().join("DevToolsActivePort")).unwrap_or_default();
            if let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) {
                break (port.parse::<u16>().expect("a port"), path.trim().to_owned());
            }
            let ended = child.try_wait().expect("our child");
            if ended.is_some() || begun.elapsed() > LIMIT {
                end(&mut child);
                panic!("the browser does not listen; it ended with {ended:?}");
            }
            sleep(Duration::from_millis(20));
        };
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the browser listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        let (socket, _) = client(format!("ws://127.0.0.1:{port}{path}"), stream).expect("a WebSocket");
        let mut browser = Self {
            child,
            socket,
            session: String::new(),
            calls: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let targets = browser.call("Target.getTargets", json!({}));
        let page =
            targets["targetInfos"].as_array().expect("a list").iter().find(|one| one["type"] == "page");
        let target = page.expect("a page")["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().expect("a name").to_owned();
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            browser.call(domain, json!({}));
        }
        browser
    }

    /// Calls a method, and notes what the page complains of meanwhile.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(call.to_string())).expect("the browser reads");
        loop {
            let Message::Text(text) = self.socket.read().expect("the browser answers") else { continue };
            let mut message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            let kind = message["params"]["type"].as_str().unwrap_or_default();
            let complains = match message["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" | "Log.entryAdded" => true,
                "Runtime.consoleAPICalled" => matches!(kind, "error" | "warning" | "assert"),
                _ => false,
            };
            if complains {
                self.complaints.push(message["params"].to_string());
            }
        }
    }

    /// What an expression of JavaScript is worth in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let mut result =
            self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.evaluate(expression) != true {
            let text =
                if begun.elapsed() > LIMIT { self.evaluate("document.body.innerText") } else { json!("") };
            assert!(
                begun.elapsed() <= LIMIT,
                "it does not become so: {expression}\n{text}\n{:?}",
                self.complaints
            );
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Its helpers too.
fn end(child: &mut Child) {
    let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    let _ = child.wait();
}
