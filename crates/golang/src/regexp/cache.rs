//! Compiled values kept for reuse, limited by their size in bytes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Two generations. A value that is used moves to the young one; when that holds half of the bytes,
/// it becomes the old one, and whatever was left in the old one is forgotten.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    generations: Mutex<Generations<K, V>>,
    /// Bytes of one generation.
    half: usize,
}

#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_bytes: usize,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// Creates an empty cache that keeps values of up to `bytes` in total.
    pub(super) fn new(bytes: usize) -> Self {
        let generations =
            Generations { young: HashMap::new(), old: HashMap::new(), young_bytes: 0 };
        Self { generations: Mutex::new(generations), half: bytes / 2 }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, _)) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, (value, bytes)) = generations.old.remove_entry(key)?;
        generations.put(key, value.clone(), bytes, self.half);
        Some(value)
    }

    /// Keeps a value that counts as `bytes`, unless that is more than a quarter of the total.
    pub(super) fn put(&self, key: K, value: V, bytes: usize) {
        if bytes <= self.half / 2 {
            let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
            generations.put(key, value, bytes, self.half);
        }
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn put(&mut self, key: K, value: V, bytes: usize, half: usize) {
        if self.young_bytes + bytes > half {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(key, (value, bytes)).is_none() {
            self.young_bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_bytes_are_bounded() {
        let cache = Cache::new(100);
        let kept = |cache: &Cache<u32, u32>| {
            let all = cache.generations.lock().unwrap();
            let young: usize = all.young.values().map(|(_, bytes)| bytes).sum();
            assert_eq!(young, all.young_bytes);
            young + all.old.values().map(|(_, bytes)| bytes).sum::<usize>()
        };
        for key in 0..1000 {
            cache.put(key, key * 2, 10);
            assert_eq!(cache.get(&key), Some(key * 2));
            assert_eq!(cache.get(&0), Some(0), "used each time");
            assert!(kept(&cache) <= 100, "{key}");
        }
        assert_eq!(cache.get(&500), None);
        cache.put(5000, 1, 26);
        assert_eq!(cache.get(&5000), None, "too large to push others out");
    }
}
