//! nginx: <https://nginx.org/en/docs/>.

use super::{CONNECTIONS, GREETING, Reference, is_root};
use lab_core::server_process::{Launch, Ready};
use nix::sys::signal::Signal;

/// The modules that make a directory for their temporary files when nginx starts, used or not.
const MODULES_WITH_FILES: [&str; 4] = ["proxy", "fastcgi", "uwsgi", "scgi"];

pub(super) fn launch(reference: &Reference) -> Launch {
    let mut launch = Launch::new(&reference.program);
    let mut args = vec!["-p", "{directory}", "-c", "nginx.conf"];
    if at_least(&reference.version, [1, 19, 5]) {
        // Before it has read the configuration it would write to the log that it was built for.
        args.extend(["-e", "stderr"]);
    }
    launch.args = args.into_iter().map(String::from).collect();
    let text = configuration(reference.root.as_deref(), &reference.about, is_root());
    launch.files = vec![("nginx.conf".to_owned(), text)];
    launch.ready = Ready::FreePort;
    // A worker that lost its master serves on. At SIGTERM the master ends its workers first, so that none is
    // left even when the harness is killed.
    launch.orphan_signal = Signal::SIGTERM;
    launch
}

/// The text. Relative paths are below the private directory (`-p`).
pub(super) fn configuration(root: Option<&str>, about: &str, as_root: bool) -> String {
    let user = if as_root { "user root root;\n" } else { "" };
    let without = |module: &&str| about.contains(&format!("--without-http_{module}_module"));
    let temporary: String = std::iter::once("client_body")
        .chain(MODULES_WITH_FILES.into_iter().filter(|module| !without(module)))
        .map(|name| format!("    {name}_temp_path {name};\n"))
        .collect();
    let files = match root {
        // No cache of open files: the stages open the file for each request too.
        Some(root) => format!("        root \"{root}\";\n"),
        None => "        location / { return 404; }\n".to_owned(),
    };
    format!(
        "{user}daemon off;
worker_processes {{cpus}};
worker_rlimit_nofile {descriptors};
pid nginx.pid;
lock_file nginx.lock;
error_log stderr emerg;
events {{
    worker_connections {CONNECTIONS};
    multi_accept on;
}}
http {{
    access_log off;
{temporary}    types {{ }}
    default_type text/plain;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{{port}} reuseport backlog=4096;
        location = / {{ return 200 \"{GREETING}\"; }}
{files}    }}
}}
",
        // A connection that is sent a file has two.
        descriptors = 2 * CONNECTIONS,
    )
}

/// Whether `version` is this one or a later one. What cannot be read is taken for new.
fn at_least(version: &str, wanted: [u32; 3]) -> bool {
    let numbers: Vec<u32> = version.split('.').map_while(|number| number.parse().ok()).collect();
    numbers.len() < 3 || numbers[..] >= wanted[..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_it_fair_is_in_the_text() {
        let text = configuration(Some("/srv/files"), "", false);
        for line in [
            "access_log off;",
            "keepalive_requests 1000000000;",
            "keepalive_timeout 1h;",
            "worker_processes {cpus};",
            "sendfile on;",
            "return 200 \"Hello, World!\";",
            "root \"/srv/files\";",
        ] {
            assert!(text.contains(line), "{line} is missing:\n{text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }

    /// Protects the machine: as an ordinary user `user` is refused with a warning, as root its absence makes
    /// the workers `nobody`; a module that was left out does not know its directive.
    #[test]
    fn the_text_follows_the_user_and_the_build() {
        assert!(configuration(None, "", true).starts_with("user root"));
        assert!(!configuration(None, "", false).contains("user "));
        assert!(configuration(None, "", false).contains("uwsgi_temp_path uwsgi;"));
        assert!(!configuration(None, "--without-http_uwsgi_module", false).contains("uwsgi"));
    }

    #[test]
    fn an_old_nginx_is_not_given_an_option_that_it_lacks() {
        assert!(!at_least("1.18.0", [1, 19, 5]) && !at_least("1.19.4", [1, 19, 5]));
        assert!(
            at_least("1.19.5", [1, 19, 5]) && at_least("1.22.1", [1, 19, 5]) && at_least("2.0.0", [1, 19, 5])
        );
    }
}
