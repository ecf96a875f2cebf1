//! Places of which there are so many, and of which one holder gets a share.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Places for holders that `K` tells apart.
#[derive(Debug)]
pub struct Places<K> {
    all: usize,
    taken: Arc<Mutex<Taken<K>>>,
}

impl<K> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self {
            all: self.all,
            taken: Arc::clone(&self.taken),
        }
    }
}

#[derive(Debug)]
struct Taken<K> {
    /// Of whoever holds one at least.
    by: HashMap<K, usize>,
    all: usize,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The holder has its share, which is so many.
    Share(usize),
    /// All are taken, which are so many.
    All(usize),
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "at most {share} of one caller at one time"),
            Self::All(all) => write!(f, "at most {all} at one time"),
        }
    }
}

/// What a holder may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The most places that it holds.
    pub share: usize,
    /// Places that it leaves to others.
    pub spared: usize,
}

impl<K: Clone + Eq + Hash> Places<K> {
    /// So many, all free.
    pub fn new(all: usize) -> Self {
        Self {
            all,
            taken: Arc::new(Mutex::new(Taken {
                by: HashMap::new(),
                all: 0,
            })),
        }
    }

    /// Takes a place, until what comes back is dropped.
    pub fn take(&self, holder: K, claim: Claim) -> Result<Place<K>, Full> {
        let mut taken = lock(&self.taken);
        if taken.by.get(&holder).copied().unwrap_or(0) >= claim.share {
            return Err(Full::Share(claim.share));
        }
        if taken.all + claim.spared >= self.all {
            return Err(Full::All(self.all));
        }
        taken.all += 1;
        *taken.by.entry(holder.clone()).or_default() += 1;
        Ok(Place {
            holder,
            taken: Arc::clone(&self.taken),
        })
    }
}

fn lock<K>(taken: &Mutex<Taken<K>>) -> MutexGuard<'_, Taken<K>> {
    // Nothing that holds it can panic half way.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place that is taken.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    holder: K,
    taken: Arc<Mutex<Taken<K>>>,
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(held) = taken.by.get_mut(&self.holder) {
            *held -= 1;
            if *held == 0 {
                taken.by.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_gets_its_share_and_leaves_what_is_spared() {
        let places = Places::new(10);
        let claim = |share, spared| Claim { share, spared };
        let mut held: Vec<_> = (0..4)
            .map(|_| places.take("a", claim(4, 0)).unwrap())
            .collect();
        assert_eq!(places.take("a", claim(4, 0)).unwrap_err(), Full::Share(4));
        held.extend((0..4).map(|_| places.take("b", claim(9, 2)).unwrap()));
        assert_eq!(places.take("b", claim(9, 2)).unwrap_err(), Full::All(10));
        held.extend((0..2).map(|_| places.take("c", claim(9, 0)).unwrap()));
        assert_eq!(places.take("d", claim(9, 0)).unwrap_err(), Full::All(10));
        drop(held);
        let taken = lock(&places.taken);
        assert!(taken.all == 0 && taken.by.is_empty());
    }
}
