//! A terminal for commands, with a screen that tests can read and wait for.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::num::NonZero;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// A command that runs in a terminal of its own.
pub struct Terminal {
    child: Child,
    capture: Arc<Mutex<Capture>>,
    // Keeps the terminal open, so that the last output can be read.
    far_end: File,
    near_end: File,
}

struct Capture {
    screen: vt100::Parser,
    all: Vec<u8>,
}

/// The streams of a command that are the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    Both,
    /// stdout goes nowhere.
    Stderr,
    /// stderr goes nowhere.
    Stdout,
}

impl Terminal {
    /// Starts a command in a terminal with this many columns; with 0 the size is unknown.
    pub fn start(command: &mut Command, ends: Attached, columns: u16) -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let name = ptsname(&near, Vec::new()).unwrap();
        let far = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let size = Winsize {
            ws_row: if columns == 0 { 0 } else { 24 },
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(far.as_fd(), size).unwrap();
        let end = |wanted| {
            if wanted {
                Stdio::from(far.try_clone().unwrap())
            } else {
                Stdio::null()
            }
        };
        // With colors by default.
        if !command
            .get_envs()
            .any(|(name, value)| name == "TERM" && value.is_some())
        {
            command.env("TERM", "xterm-256color");
        }
        let child = command
            .stdin(Stdio::from(far.try_clone().unwrap()))
            .stdout(end(ends != Attached::Stderr))
            .stderr(end(ends != Attached::Stdout))
            .spawn()
            .unwrap();
        // Later writes of the command's copies of the terminal must not outlive it.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let wide = NonZero::new(columns).unwrap_or(NonZero::new(200).unwrap());
        let rows = NonZero::new(24).unwrap();
        let capture = Arc::new(Mutex::new(Capture {
            screen: vt100::Parser::new(rows, wide, 1000),
            all: Vec::new(),
        }));
        let reader = Arc::clone(&capture);
        let mut near = File::from(near);
        let near_end = near.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = near.read(&mut piece) {
                let mut capture = reader.lock().unwrap();
                capture.screen.process(&piece[..read]);
                capture.all.extend_from_slice(&piece[..read]);
            }
        });
        Self {
            child,
            capture,
            far_end: far,
            near_end,
        }
    }

    /// The text on the screen.
    pub fn screen(&self) -> String {
        self.capture.lock().unwrap().screen.screen().contents()
    }

    /// Everything that was written, including escape sequences.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.capture.lock().unwrap().all).into_owned()
    }

    /// Whether a line of the screen was wrapped because it was too long.
    pub fn wraps(&self) -> bool {
        let capture = self.capture.lock().unwrap();
        let screen = capture.screen.screen();
        (0..24).any(|row| screen.row_wrapped(row))
    }

    /// Waits until the screen fulfils a condition, and returns its text.
    #[track_caller]
    pub fn wait_until(&self, shows: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let screen = self.screen();
            if shows(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "never on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Presses keys.
    pub fn types(&self, keys: &str) {
        std::io::Write::write_all(&mut &self.near_end, keys.as_bytes()).unwrap();
    }

    /// Whether the terminal shows what is typed, and passes on whole lines: as it was at the start.
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(self.far_end.as_fd()).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends the signal of Ctrl-C.
    pub fn interrupt(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    }

    /// Waits for the end of the command and for all of its output on the screen.
    #[track_caller]
    pub fn assert_exit(&mut self, code: i32) -> String {
        let status = self.child.wait().unwrap();
        // The end of the output: nothing follows once the reader has seen this.
        let mut far = self.far_end.try_clone().unwrap();
        std::io::Write::write_all(&mut far, b"\x1b]0;end\x07").unwrap();
        self.until_written("\x1b]0;end\x07");
        let screen = self.screen();
        assert_eq!(status.code(), Some(code), "{screen}");
        screen
    }

    #[track_caller]
    fn until_written(&self, what: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.written().contains(what) {
            assert!(Instant::now() < end, "never written: {what:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
