//! h2o: <https://h2o.examp1e.net/configure.html>.

use super::{CONNECTIONS, GREETING, Reference, is_root};
use lab_core::server_process::{Launch, Ready};

/// The name of the file that `/` answers. It lies in the private directory.
const GREETING_FILE: &str = "greeting.txt";

pub(super) fn launch(reference: &Reference) -> Launch {
    let mut launch = Launch::new(&reference.program);
    launch.args = vec!["-m".into(), "worker".into(), "-c".into(), "{directory}/h2o.conf".into()];
    let text = configuration(reference.root.as_deref(), is_root());
    launch.files = vec![("h2o.conf".to_owned(), text), (GREETING_FILE.to_owned(), GREETING.to_owned())];
    launch.ready = Ready::FreePort;
    launch
}

/// The text.
///
/// `/` is a file: h2o has no constant reply but through mruby, which costs a third more CPU per request
/// (about 12 µs against 9) and is not in every build. After SIGTERM h2o waits for its clients to leave, and a
/// long `http1-request-timeout` lets them stay: close the connections before it is stopped.
pub(super) fn configuration(root: Option<&str>, as_root: bool) -> String {
    let user = if as_root { "user: root\n" } else { "" };
    // The first handler that has the path answers. Without an index the root has none for `/`.
    let files = root
        .map_or(String::new(), |root| format!("        - file.dir: \"{root}\"\n          file.index: []\n"));
    format!(
        "{user}num-threads: {{cpus}}
max-connections: {CONNECTIONS}
http1-request-timeout: 3600
temp-buffer-path: \"{{directory}}\"
listen:
  host: 127.0.0.1
  port: {{port}}
hosts:
  default:
    paths:
      \"/\":
{files}        - file.dir: \"{{directory}}\"
          file.index: [{GREETING_FILE}]
          file.etag: OFF
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_it_fair_is_in_the_text() {
        let text = configuration(Some("/srv/files"), false);
        for line in [
            "num-threads: {cpus}",
            "max-connections: 20480",
            "http1-request-timeout: 3600",
            "file.dir: \"/srv/files\"",
            "file.index: [greeting.txt]",
        ] {
            assert!(text.contains(line), "{line} is missing:\n{text}");
        }
        assert!(!text.contains("access-log"), "h2o logs only where it is told to");
        assert!(!text.contains("user:"));
        assert!(configuration(None, true).starts_with("user: root\n"), "as root h2o would become nobody");
    }
}
