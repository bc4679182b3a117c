//! Saved states: a machine's state as text, with its kind and version.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::step::Machine;
use crate::error::Error;
use crate::text::json::describe;
use crate::text::lenient;

/// The version of all states. Raise it with every change that an older version cannot read.
const VERSION: u32 = 2;

/// A machine whose state can be saved and resumed, in another process or on another day.
///
/// The state is JSON: `{"v": 2, "kind": "waiter classify", "state": …}`. It contains no key, no secret and no document
/// content; a path stays a path. Deadlines are absolute times and keep running while the machine is saved.
///
/// ```
/// use classify_proto::Seed;
/// use classify_proto::machine::{Saved, Waiter};
///
/// let waiter: Waiter = Waiter::new("clj-1", Seed::new([7; 16]));
/// let text = waiter.save()?;
/// let resumed: Waiter = Waiter::load(&text)?;
/// assert_eq!(resumed.job_id(), "clj-1");
/// # Ok::<(), classify_proto::Error>(())
/// ```
pub trait Saved: Machine + Serialize + DeserializeOwned {
    /// Returns the kind of the state. [`load`](Self::load) rejects states of another kind.
    fn kind(&self) -> String;

    /// Returns the state as JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) if the state contains a path that is not Unicode.
    fn save(&self) -> Result<String, Error> {
        let envelope = Envelope {
            v: VERSION,
            kind: self.kind(),
            state: self,
        };
        serde_json::to_string(&envelope)
            .map_err(|error| Error::state(format!("cannot be saved: {error}")))
    }

    /// Loads a state and [resumes](Machine::resume) the machine: replies to requests of the old machine will not
    /// arrive.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) if the text is not a state, or a state of another kind or version.
    fn load(text: &str) -> Result<Self, Error> {
        let head: Head = serde_json::from_str(text)
            .map_err(|error| Error::state(format!("is not a saved state: {}", describe(&error))))?;
        if head.v != VERSION {
            return Err(Error::state(format!(
                "was saved in format version {}; this version of the library reads version {VERSION} only",
                head.v
            )));
        }
        // A job in it may have fields that could not be parsed and were saved unchanged.
        let read = serde_json::from_str::<Envelope<Self>>(text);
        let envelope = read.or_else(|error| {
            lenient::read(text.as_bytes()).ok_or_else(|| {
                let (kind, error) = (shown_kind(&head.kind), describe(&error));
                Error::state(format!(
                    "is the state of {kind} and cannot be read as that of another machine or format: {error}"
                ))
            })
        })?;
        let mut machine = envelope.state;
        let kind = machine.kind();
        if head.kind != kind {
            return Err(Error::state(format!(
                "is the state of {}, not of a {kind:?}",
                shown_kind(&head.kind)
            )));
        }
        machine.resume();
        Ok(machine)
    }
}

/// The kind of a state for an error. An unknown kind is not quoted: the text may be anything.
fn shown_kind(kind: &str) -> String {
    const WHOLE: [&str; 5] = [
        "concurrent",
        "reconcile",
        "results waiter",
        "run classify",
        "upload once",
    ];
    const RESOURCES: [&str; 5] = [
        "classify",
        "classifier",
        "files",
        "configurations",
        "webhook_configs",
    ];
    let machine = kind.trim_start_matches("concurrent ");
    let of_operation = ["call ", "pager ", "waiter "]
        .iter()
        .find_map(|word| machine.strip_prefix(word))
        .and_then(|operation| operation.split('.').next());
    let is_known = WHOLE.contains(&machine)
        || of_operation.is_some_and(|resource| RESOURCES.contains(&resource));
    if is_known && kind.len() <= 60 {
        format!("a {kind:?}")
    } else {
        "an unknown kind".to_owned()
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<S> {
    v: u32,
    kind: String,
    state: S,
}

#[derive(Deserialize)]
struct Head {
    v: u32,
    kind: String,
}
