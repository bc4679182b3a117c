//! Persistent state: a log of rows, one per line. The last line of a row counts.
//!
//! A line is written before the response to the request that changed the row, so that killing the process loses nothing
//! that was answered. Lines that cannot be written (a full disk) are kept pending and written first. Opening the log
//! rewrites it without outdated lines.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Store;
use super::table::{Row, Table};
use crate::clock::Millis;
use crate::outcome::DocumentOutcome;

/// The version of the format, in the first line.
const VERSION: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Entry {
    #[serde(rename = "head")]
    Header {
        v: u32,
    },
    Job {
        k: u64,
        row: Option<Box<super::job::Job>>,
    },
    /// One document of a job, and the job's times after it: writing the whole row for each of five hundred documents
    /// would make the log of one job long.
    Document {
        k: u64,
        index: usize,
        outcome: Option<DocumentOutcome>,
        #[serde(rename = "takes")]
        duration: Option<Millis>,
        ends_at: Option<Millis>,
        read_at: Millis,
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

/// The destination of the lines: a file, or in a test one that fails.
pub(crate) trait LogFile: std::fmt::Debug + Send {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn set_len(&mut self, length: u64) -> io::Result<()>;
}

impl LogFile for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(self, bytes)
    }

    fn set_len(&mut self, length: u64) -> io::Result<()> {
        Self::set_len(self, length)
    }
}

#[derive(Debug)]
pub(crate) struct StateLog {
    path: PathBuf,
    file: Box<dyn LogFile>,
    /// The length of the file's complete, valid lines.
    length: u64,
    /// Whether there may be an incomplete line after that length.
    torn: bool,
    /// Lines that belong to no row and could not be written yet.
    pending: Vec<u8>,
    /// The last logged time of a virtual clock.
    clock: Option<Millis>,
    /// Locked while the log is in use.
    _lock: File,
    /// The error of the last write; `None` after a successful one.
    pub(crate) write_error: Option<String>,
}

fn with_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("the state file {} cannot be used: {error}", path.display()),
    )
}

/// The content of a state file that this process has locked.
#[derive(Debug)]
pub(crate) struct OpenedLog {
    path: PathBuf,
    lock: File,
    /// Whether the file existed; a new one contains nothing.
    pub(crate) existed: bool,
    /// The time of a virtual clock, if one was saved.
    pub(crate) clock: Option<Millis>,
}

/// Reads a state file into an empty store. No other emulator can use the file until the log is dropped.
pub(crate) fn open(path: &Path, store: &mut Store) -> io::Result<OpenedLog> {
    let lock = lock(path).map_err(|error| with_path(path, &error))?;
    let (existed, clock) = read(path, store).map_err(|error| with_path(path, &error))?;
    Ok(OpenedLog {
        path: path.to_owned(),
        lock,
        existed,
        clock,
    })
}

impl OpenedLog {
    /// Rewrites the file without outdated lines, and makes the store write to it. Logs a virtual clock's time at once,
    /// since it must not jump to the machine's time if it is never moved.
    pub(crate) fn start_writing(self, store: &mut Store, clock: Option<Millis>) -> io::Result<()> {
        let path = self.path.clone();
        let log = compact(self, store, clock).map_err(|error| with_path(&path, &error))?;
        store.log = Some(log);
        Ok(())
    }
}

/// Whether there was a file with content, and the time in it.
fn read(path: &Path, store: &mut Store) -> io::Result<(bool, Option<Millis>)> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((false, None)),
        Err(error) => return Err(error),
    };
    let mut clock = None;
    let mut existed = false;
    let mut lines = BufReader::new(file).split(b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(Entry::Header { v }) if v != VERSION => {
                let text = format!("it has version {v}; this program reads version {VERSION}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Ok(Entry::Header { .. }) => existed = true,
            Ok(Entry::Job { k, row }) => store.jobs.restore(k, row.map(|row| *row)),
            Ok(Entry::Document {
                k,
                index,
                outcome,
                duration,
                ends_at,
                read_at,
            }) => {
                if let Some(job) = store.jobs.get_mut_untracked(k) {
                    if let Some(input) = job.inputs.get_mut(index) {
                        input.outcome = outcome;
                        input.duration = duration;
                    }
                    job.ends_at = ends_at;
                    job.read_at = read_at;
                }
            }
            Ok(Entry::File { k, row }) => store.files.restore(k, row),
            Ok(Entry::Configuration { k, row }) => store.configurations.restore(k, row),
            Ok(Entry::Webhook { k, row }) => store.webhooks.restore(k, row),
            Ok(Entry::ParseJob { id, text }) => {
                store.parse_jobs.insert(id, text);
            }
            Ok(Entry::Clock { now }) => clock = Some(now),
            // The last line may have been cut when the process was killed.
            Err(_) if index > 0 && lines.peek().is_none() => {}
            Err(error) => {
                // The parser's message quotes the line, which may contain a webhook's secret.
                let what = match error.classify() {
                    serde_json::error::Category::Data => "is not of its format",
                    _ => "is not JSON",
                };
                let text = format!(
                    "line {} {what}, at column {}; move the file away to start with an empty state",
                    index + 1,
                    error.column()
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
    }
    store.rebuild_indexes();
    Ok((existed, clock))
}

/// Locks a file beside the state file. The state file itself is replaced when it is rewritten, and its lock would stay
/// with the old file. The lock file is not removed, because another process may have locked it by then.
fn lock(path: &Path) -> io::Result<File> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(lock_path))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            io::Error::new(io::ErrorKind::ResourceBusy, "another emulator is using it")
        }
        TryLockError::Error(error) => error,
    })?;
    Ok(file)
}

/// Writes a new log beside the old one and replaces it.
fn compact(opened: OpenedLog, store: &Store, clock: Option<Millis>) -> io::Result<StateLog> {
    let path = opened.path;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut new_file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    {
        let mut file = io::BufWriter::new(new_file.as_file_mut());
        write_entry(&mut file, &Entry::Header { v: VERSION })?;
        write_rows(&mut file, &store.jobs, |k, row| Entry::Job {
            k,
            row: Some(Box::new(row)),
        })?;
        write_rows(&mut file, &store.files, |k, row| Entry::File {
            k,
            row: Some(row),
        })?;
        write_rows(&mut file, &store.configurations, |k, row| {
            Entry::Configuration { k, row: Some(row) }
        })?;
        write_rows(&mut file, &store.webhooks, |k, row| Entry::Webhook {
            k,
            row: Some(row),
        })?;
        for (id, text) in &store.parse_jobs {
            write_entry(
                &mut file,
                &Entry::ParseJob {
                    id: id.clone(),
                    text: text.clone(),
                },
            )?;
        }
        if let Some(now) = clock {
            write_entry(&mut file, &Entry::Clock { now })?;
        }
        file.flush()?;
    }
    new_file.persist(&path).map_err(|error| error.error)?;
    let file = OpenOptions::new().append(true).open(&path)?;
    Ok(StateLog {
        length: file.metadata()?.len(),
        file: Box::new(file),
        path,
        torn: false,
        pending: Vec::new(),
        clock,
        _lock: opened.lock,
        write_error: None,
    })
}

fn write_rows<T: Row + Clone>(
    file: &mut impl io::Write,
    table: &Table<T>,
    line: impl Fn(u64, T) -> Entry,
) -> io::Result<()> {
    table
        .iter()
        .try_for_each(|(key, row)| write_entry(file, &line(key, row.clone())))
}

fn write_entry(file: &mut impl io::Write, line: &Entry) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

impl StateLog {
    /// Writes lines after the pending ones, all or none of them. Returns whether they were written.
    fn append(&mut self, lines: &[Entry]) -> bool {
        let mut text = std::mem::take(&mut self.pending);
        let pending = text.len();
        let written = lines
            .iter()
            .try_for_each(|line| write_entry(&mut text, line))
            .and_then(|()| self.write_pending(&text));
        match written {
            Ok(()) => {
                self.write_error = None;
                true
            }
            Err(error) => {
                text.truncate(pending);
                self.pending = text;
                self.write_error = Some(with_path(&self.path, &error).to_string());
                false
            }
        }
    }

    /// One write for everything, so that the order is kept.
    fn write_pending(&mut self, text: &[u8]) -> io::Result<()> {
        self.truncate_torn()?;
        if let Err(error) = self.file.write_all(text) {
            // An incomplete line would join the next one, and the file would be invalid.
            self.torn = true;
            let _ = self.truncate_torn();
            return Err(error);
        }
        self.length += text.len() as u64;
        Ok(())
    }

    fn truncate_torn(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Writes a line that belongs to no row, now or with the next write.
    fn append_unkeyed(&mut self, line: &Entry) {
        // Into memory, where writing does not fail.
        let _ = write_entry(&mut self.pending, line);
        self.append(&[]);
    }

    /// Clears the log; the clock's time is kept.
    fn clear(&mut self) {
        self.length = 0;
        self.torn = true;
        self.pending.clear();
        let _ = write_entry(&mut self.pending, &Entry::Header { v: VERSION });
        if let Some(now) = self.clock {
            let _ = write_entry(&mut self.pending, &Entry::Clock { now });
        }
        self.append(&[]);
    }
}

impl Store {
    /// Writes every row that has changed since the last call, and pending lines.
    pub(crate) fn write_log(&mut self) {
        let jobs = self.jobs.take_changed();
        let files = self.files.take_changed();
        let configurations = self.configurations.take_changed();
        let webhooks = self.webhooks.take_changed();
        let documents = std::mem::take(&mut self.documents_read);
        let Some(log) = &mut self.log else { return };
        let mut lines = Vec::new();
        for &(k, index) in &documents {
            // If the whole row is written, it contains the document.
            if let Some(job) = self.jobs.get(k).filter(|_| !jobs.contains(&k))
                && let Some(input) = job.inputs.get(index)
            {
                lines.push(Entry::Document {
                    k,
                    index,
                    outcome: input.outcome.clone(),
                    duration: input.duration,
                    ends_at: job.ends_at,
                    read_at: job.read_at,
                });
            }
        }
        lines.extend(jobs.iter().map(|&k| Entry::Job {
            k,
            row: self.jobs.get(k).cloned().map(Box::new),
        }));
        lines.extend(files.iter().map(|&k| Entry::File {
            k,
            row: self.files.get(k).cloned(),
        }));
        lines.extend(configurations.iter().map(|&k| Entry::Configuration {
            k,
            row: self.configurations.get(k).cloned(),
        }));
        lines.extend(webhooks.iter().map(|&k| Entry::Webhook {
            k,
            row: self.webhooks.get(k).cloned(),
        }));
        if (lines.is_empty() && log.pending.is_empty()) || log.append(&lines) {
            return;
        }
        // It is part of the state and is written with the next successful write.
        self.jobs.mark_changed(jobs);
        self.files.mark_changed(files);
        self.configurations.mark_changed(configurations);
        self.webhooks.mark_changed(webhooks);
        self.documents_read = documents;
    }

    pub(crate) fn log_parse_job(&mut self, id: &str, text: &str) {
        if let Some(log) = &mut self.log {
            log.append_unkeyed(&Entry::ParseJob {
                id: id.to_owned(),
                text: text.to_owned(),
            });
        }
    }

    pub(crate) fn log_clock(&mut self, now: Millis) {
        if let Some(log) = &mut self.log {
            log.clock = Some(now);
            log.append_unkeyed(&Entry::Clock { now });
        }
    }

    pub(crate) fn clear_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::outcome::TimedOutcome;
    use crate::state::file::File as Upload;
    use crate::state::job;

    /// A file on a disk that is full at times.
    #[derive(Debug)]
    struct FullDisk {
        file: File,
        /// For each future write, the number of bytes that fit.
        capacity: VecDeque<Option<usize>>,
        can_shrink: bool,
    }

    impl LogFile for FullDisk {
        fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
            let Some(capacity) = self.capacity.pop_front().flatten() else {
                return LogFile::write_all(&mut self.file, bytes);
            };
            LogFile::write_all(&mut self.file, &bytes[..capacity.min(bytes.len())])?;
            Err(io::ErrorKind::StorageFull.into())
        }

        fn set_len(&mut self, length: u64) -> io::Result<()> {
            if !std::mem::replace(&mut self.can_shrink, true) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            LogFile::set_len(&mut self.file, length)
        }
    }

    fn opened(path: &Path) -> (Store, Option<Millis>) {
        let mut store = Store::new(Some(1));
        let opened = open(path, &mut store).expect("a state file");
        let clock = opened.clock;
        opened
            .start_writing(&mut store, clock)
            .expect("a rewritten file");
        (store, clock)
    }

    fn fail(store: &mut Store, path: &Path, capacity: &[Option<usize>], can_shrink: bool) {
        let file = OpenOptions::new().append(true).open(path).expect("a file");
        let log = store.log.as_mut().expect("a log");
        log.file = Box::new(FullDisk {
            file,
            capacity: capacity.iter().copied().collect(),
            can_shrink,
        });
    }

    fn write_error(store: &Store) -> Option<&str> {
        store.log.as_ref().expect("a log").write_error.as_deref()
    }

    fn upload(id: &str) -> Upload {
        Upload {
            id: id.to_owned(),
            name: "a.txt".to_owned(),
            project: "p".to_owned(),
            external_id: None,
            purpose: "classify".to_owned(),
            created: 0,
            expires: 1,
            size: 1,
        }
    }

    #[test]
    fn state_file_entries_refused_by_full_disk_are_written_later() {
        for can_shrink in [true, false] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("state");
            let (mut store, _) = opened(&path);
            store.files.insert(upload("before"));
            store.write_log();
            fail(&mut store, &path, &[Some(20), Some(0)], can_shrink);
            store.files.insert(upload("during"));
            store.write_log();
            assert!(write_error(&store).is_some_and(|reason| reason.contains("state")));
            store.log_clock(5);
            store.log_parse_job("pjb-1", "text");
            assert!(write_error(&store).is_none(), "there is room again");
            store.files.insert(upload("after"));
            store.write_log();
            drop(store);
            let (store, clock) = opened(&path);
            for id in ["before", "during", "after"] {
                assert!(store.files.find(id).is_some(), "{id}");
            }
            assert_eq!((clock, store.parse_jobs.len()), (Some(5), 1));
        }
    }

    #[test]
    fn state_file_clear_that_failed_is_repeated_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let (mut store, _) = opened(&path);
        store.files.insert(upload("before"));
        store.log_clock(7);
        store.write_log();
        fail(&mut store, &path, &[], false);
        store.clear();
        assert!(write_error(&store).is_some());
        store.files.insert(upload("after"));
        store.write_log();
        drop(store);
        let (store, clock) = opened(&path);
        assert_eq!((store.files.len(), clock), (1, Some(7)));
        assert!(store.files.find("after").is_some());
    }

    #[test]
    fn state_file_grows_by_a_short_line_per_document_outcome() {
        const DOCUMENTS: usize = 500;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let (mut store, _) = opened(&path);
        let key = store.add_job(job::tests::job(DOCUMENTS));
        store.write_log();
        let row = path.metadata().expect("a file").len();
        for index in 0..DOCUMENTS {
            let timed_outcome = TimedOutcome {
                outcome: DocumentOutcome::Endless,
                duration: None,
            };
            store.record_outcome(
                "job",
                index,
                timed_outcome,
                std::time::Duration::from_secs(1),
                3,
            );
            store.write_log();
        }
        let length = path.metadata().expect("a file").len();
        assert!(length < 4 * row, "{length} bytes after a row of {row}");
        drop(store);
        let (store, _) = opened(&path);
        let job = store.jobs.get(key).expect("the job");
        assert!(job.is_read());
        assert_eq!((job.ends_at, job.read_at), (None, 3));
    }
}
