//! State that outlives the process: a log of rows, one line each, of which the last for a row counts.
//!
//! A line is written before the reply to the request that changed the row, so that killing the process loses nothing
//! that was answered. Opening the log rewrites it without what was overtaken.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Store;
use super::table::{Row, Table};
use crate::clock::Millis;

/// The version of the format, in its first line.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Line {
    Head {
        v: u32,
    },
    Job {
        k: u64,
        row: Option<Box<super::job::Job>>,
    },
    File {
        k: u64,
        row: Option<super::file::File>,
    },
    Configuration {
        k: u64,
        row: Option<super::configuration::Configuration>,
    },
    Webhook {
        k: u64,
        row: Option<super::configuration::WebhookConfiguration>,
    },
    ParseJob {
        id: String,
        text: String,
    },
    Clock {
        now: Millis,
    },
}

#[derive(Debug)]
pub(crate) struct StateLog {
    path: PathBuf,
    out: File,
    /// Locked for as long as the log is in use.
    _lock: File,
    /// Why the last line could not be written.
    pub(crate) trouble: Option<String>,
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("the state file {} cannot be used: {error}", path.display()),
    )
}

/// Reads a state file into an empty store and goes on writing to it. Gives the time of a virtual clock, if one was kept.
pub(crate) fn open(path: &Path, store: &mut Store) -> io::Result<Option<Millis>> {
    let clock = read(path, store).map_err(|error| named(path, &error))?;
    let log = rewrite(path, store, clock).map_err(|error| named(path, &error))?;
    store.log = Some(log);
    Ok(clock)
}

fn read(path: &Path, store: &mut Store) -> io::Result<Option<Millis>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    lock(&file)?;
    let mut clock = None;
    let mut lines = BufReader::new(file).split(b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(Line::Head { v }) if v != VERSION => {
                let text = format!("it has version {v}, and this program reads {VERSION}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Ok(Line::Head { .. }) => {}
            Ok(Line::Job { k, row }) => store.jobs.restore(k, row.map(|row| *row)),
            Ok(Line::File { k, row }) => store.files.restore(k, row),
            Ok(Line::Configuration { k, row }) => store.configurations.restore(k, row),
            Ok(Line::Webhook { k, row }) => store.webhooks.restore(k, row),
            Ok(Line::ParseJob { id, text }) => {
                store.parse_jobs.insert(id, text);
            }
            Ok(Line::Clock { now }) => clock = Some(now),
            // The last line may have been cut off with the process that wrote it.
            Err(_) if index > 0 && lines.peek().is_none() => {}
            Err(error) => {
                let text = format!(
                    "line {} is not of its format ({error}); move it away to start anew",
                    index + 1
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
    }
    store.recover();
    Ok(clock)
}

fn lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            io::Error::new(io::ErrorKind::ResourceBusy, "another emulator is using it")
        }
        TryLockError::Error(error) => error,
    })
}

/// Writes a fresh log beside the old one and puts it in its place.
fn rewrite(path: &Path, store: &Store, clock: Option<Millis>) -> io::Result<StateLog> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut fresh = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    {
        let mut out = io::BufWriter::new(fresh.as_file_mut());
        write(&mut out, &Line::Head { v: VERSION })?;
        rows(&mut out, &store.jobs, |k, row| Line::Job {
            k,
            row: Some(Box::new(row)),
        })?;
        rows(&mut out, &store.files, |k, row| Line::File {
            k,
            row: Some(row),
        })?;
        rows(&mut out, &store.configurations, |k, row| {
            Line::Configuration { k, row: Some(row) }
        })?;
        rows(&mut out, &store.webhooks, |k, row| Line::Webhook {
            k,
            row: Some(row),
        })?;
        for (id, text) in &store.parse_jobs {
            write(
                &mut out,
                &Line::ParseJob {
                    id: id.clone(),
                    text: text.clone(),
                },
            )?;
        }
        if let Some(now) = clock {
            write(&mut out, &Line::Clock { now })?;
        }
        out.flush()?;
    }
    // Locked before it has its name, so that no other process finds it free.
    lock(fresh.as_file())?;
    let locked = fresh.persist(path).map_err(|error| error.error)?;
    let out = OpenOptions::new().append(true).open(path)?;
    Ok(StateLog {
        path: path.to_owned(),
        out,
        _lock: locked,
        trouble: None,
    })
}

fn rows<T: Row + Clone>(
    out: &mut impl io::Write,
    table: &Table<T>,
    line: impl Fn(u64, T) -> Line,
) -> io::Result<()> {
    table
        .iter()
        .try_for_each(|(key, row)| write(out, &line(key, row.clone())))
}

fn write(out: &mut impl io::Write, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    out.write_all(&text)
}

impl StateLog {
    fn append(&mut self, lines: &[Line]) {
        let mut text = Vec::new();
        let written = lines.iter().try_for_each(|line| write(&mut text, line));
        // One write for all of them: no other order can come of it.
        if let Err(error) = written.and_then(|()| self.out.write_all(&text)) {
            self.trouble = Some(named(&self.path, &error).to_string());
        }
    }

    fn clear(&mut self) {
        if let Err(error) = self.out.set_len(0) {
            self.trouble = Some(named(&self.path, &error).to_string());
        }
        self.append(&[Line::Head { v: VERSION }]);
    }
}

impl Store {
    /// Writes down every row that has changed since the last call.
    pub(crate) fn write_log(&mut self) {
        let jobs = self.jobs.take_touched();
        let files = self.files.take_touched();
        let configurations = self.configurations.take_touched();
        let webhooks = self.webhooks.take_touched();
        let Some(log) = &mut self.log else { return };
        let mut lines = Vec::new();
        lines.extend(jobs.into_iter().map(|k| Line::Job {
            k,
            row: self.jobs.get(k).cloned().map(Box::new),
        }));
        lines.extend(files.into_iter().map(|k| Line::File {
            k,
            row: self.files.get(k).cloned(),
        }));
        let configuration = |k| Line::Configuration {
            k,
            row: self.configurations.get(k).cloned(),
        };
        lines.extend(configurations.into_iter().map(configuration));
        lines.extend(webhooks.into_iter().map(|k| Line::Webhook {
            k,
            row: self.webhooks.get(k).cloned(),
        }));
        if !lines.is_empty() {
            log.append(&lines);
        }
    }

    pub(crate) fn log_parse_job(&mut self, id: &str, text: &str) {
        if let Some(log) = &mut self.log {
            log.append(&[Line::ParseJob {
                id: id.to_owned(),
                text: text.to_owned(),
            }]);
        }
    }

    pub(crate) fn log_clock(&mut self, now: Millis) {
        if let Some(log) = &mut self.log {
            log.append(&[Line::Clock { now }]);
        }
    }

    pub(crate) fn clear_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.clear();
        }
    }
}
