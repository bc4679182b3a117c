//! A table of rows in the order of their creation, found by key or by id.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A row with the id by which it is found.
pub(crate) trait Row {
    fn id(&self) -> &str;
}

#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: BTreeMap<u64, T>,
    keys: HashMap<String, u64>,
    next: u64,
    /// Rows that were inserted, borrowed mutably, or removed since the last [`take_changed`](Self::take_changed).
    changed: BTreeSet<u64>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        // Key 0 is unused: it is the cursor before the first row of an ascending list.
        Self {
            rows: BTreeMap::new(),
            keys: HashMap::new(),
            next: 1,
            changed: BTreeSet::new(),
        }
    }
}

impl<T: Row> Table<T> {
    pub(crate) fn insert(&mut self, row: T) -> u64 {
        let key = self.next;
        self.next += 1;
        self.changed.insert(key);
        self.keys.insert(row.id().to_owned(), key);
        self.rows.insert(key, row);
        key
    }

    pub(crate) fn key(&self, id: &str) -> Option<u64> {
        self.keys.get(id).copied()
    }

    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        self.rows.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        self.changed.insert(key);
        self.rows.get_mut(&key)
    }

    /// A row for changes that are not logged, or logged separately.
    pub(crate) fn get_mut_untracked(&mut self, key: u64) -> Option<&mut T> {
        self.rows.get_mut(&key)
    }

    pub(crate) fn find(&self, id: &str) -> Option<&T> {
        self.get(self.key(id)?)
    }

    pub(crate) fn find_mut(&mut self, id: &str) -> Option<&mut T> {
        let key = self.key(id)?;
        self.get_mut(key)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        let key = self.keys.remove(id)?;
        self.changed.insert(key);
        self.rows.remove(&key)
    }

    /// Restores a row under its key, or removes it if it is `None`.
    pub(crate) fn restore(&mut self, key: u64, row: Option<T>) {
        if let Some(old) = self.rows.remove(&key) {
            self.keys.remove(old.id());
        }
        self.next = self.next.max(key.saturating_add(1));
        if let Some(row) = row {
            self.keys.insert(row.id().to_owned(), key);
            self.rows.insert(key, row);
        }
    }

    /// Marks rows as changed.
    pub(crate) fn mark_changed(&mut self, keys: BTreeSet<u64>) {
        self.changed.extend(keys);
    }

    pub(crate) fn take_changed(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.changed)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows in the order of their creation.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.rows.iter().map(|(key, row)| (*key, row))
    }

    /// The rows below a key, newest first.
    pub(crate) fn newest_below(&self, key: u64) -> impl Iterator<Item = (u64, &T)> {
        self.rows.range(..key).rev().map(|(key, row)| (*key, row))
    }
}
