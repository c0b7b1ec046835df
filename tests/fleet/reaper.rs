//! Ends the processes of the tests, however the test binary ends.
//!
//! A panic runs destructors; a SIGKILL, a time-out of CI or Ctrl-C does not. So a small shell reads the ids of all
//! processes from a pipe, and kills what is left when the pipe closes.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=' '
while read -r word pid; do
    case $word in
    add) pids="$pids$pid " ;;
    del) pids="${pids%% $pid *} ${pids#* $pid }" ;;
    esac
done
[ "$pids" = ' ' ] || kill -9 $pids
"#;

static SHELL: LazyLock<Mutex<Child>> = LazyLock::new(|| {
    let shell = Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the tests need sh");
    Mutex::new(shell)
});

/// Kills this process when the test binary ends.
pub(crate) fn add(pid: u32) {
    tell("add", pid);
}

/// Forgets a process that has ended: its id may soon be another's.
pub(crate) fn forget(pid: u32) {
    tell("del", pid);
}

fn tell(word: &str, pid: u32) {
    let mut shell = SHELL.lock().unwrap_or_else(PoisonError::into_inner);
    let pipe = shell.stdin.as_mut().expect("stdin is piped");
    writeln!(pipe, "{word} {pid}").expect("the shell lives as long as the tests");
}
