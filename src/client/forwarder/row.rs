use crate::base::{Code, Error, Offset, ProducerId, Random, Reader, Sequence, Timestamp, Writer};
use crate::log::rows::OFFSET_MAX;

/// What is known of the delivery of one partition. Only its owner writes it, and only over the row that it read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Everything before this offset is settled. It never goes back.
    pub committed: Offset,
    /// Under which id the partition's records are produced.
    pub producer_id: ProducerId,
    /// Which incarnation of the id.
    pub epoch: i16,
    /// The offset whose sequence is 0.
    pub start: Offset,
    /// The first and the last offset of the wire batch that may be on its way.
    pub marker: Option<(Offset, Offset)>,
    /// No collector can have taken the marker's batch before this time, by the collectors' own clock; 0 where
    /// none can have taken it yet.
    pub marked_at: Timestamp,
    /// Records below this offset may have been delivered under another name: they say so.
    pub uncertain: Offset,
    /// When the collector signed the producer id, by its own clock; 0 is never.
    pub signed_at: Timestamp,
    /// The collector's signature.
    pub signature: Vec<u8>,
}

impl DeliveryRow {
    const VERSION: u8 = 1;

    /// A partition that was never forwarded: a fresh identity, beginning at `start`.
    pub fn begin(producer_id: ProducerId, start: Offset) -> Self {
        Self {
            committed: start,
            producer_id,
            epoch: 0,
            start,
            marker: None,
            marked_at: 0,
            uncertain: 0,
            signed_at: 0,
            signature: Vec::new(),
        }
    }

    /// A producer id far from those that brokers hand out: 2^61 <= id < 2^62.
    pub fn fresh_id(random: &mut Random) -> ProducerId {
        ((1 << 61) | (random.next_u64() >> 3)) as ProducerId
    }

    /// The sequence of the record at `offset`.
    pub fn sequence(&self, offset: Offset) -> Sequence {
        ((offset - self.start) & i64::from(Sequence::MAX)) as Sequence
    }

    /// The same identity in a new epoch, whose sequences begin at `committed`. Where the epochs are used up, the
    /// identity is a new one.
    pub fn next_epoch(mut self, fresh: ProducerId) -> Self {
        match self.epoch.checked_add(1).filter(|epoch| *epoch < i16::MAX) {
            Some(epoch) => self.epoch = epoch,
            None => return self.next_identity(fresh),
        }
        self.start = self.committed;
        self.unmarked()
    }

    /// Another identity, since somebody else uses this one.
    pub fn next_identity(mut self, fresh: ProducerId) -> Self {
        self.producer_id = fresh;
        self.epoch = 0;
        self.start = self.committed;
        self.unmarked().unsigned()
    }

    /// Everything up to and with the marker is settled.
    pub fn settled(mut self) -> Self {
        if let Some((_, last)) = self.marker {
            self.committed = last + 1;
        }
        self.unmarked()
    }

    /// Nothing is on its way.
    pub fn unmarked(mut self) -> Self {
        self.marker = None;
        self.marked_at = 0;
        self
    }

    /// The next batch goes without a signature: no collector takes it before it has signed the identity anew.
    pub fn unsigned(mut self) -> Self {
        self.signed_at = 0;
        self.signature.clear();
        self
    }

    /// The row's bytes. `committed` stands first in every version: retention reads it.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION);
        writer.i64(self.committed);
        writer.i64(self.producer_id);
        writer.i16(self.epoch);
        writer.i64(self.start);
        let (first, last) = self.marker.unwrap_or((-1, -1));
        writer.i64(first);
        writer.i64(last);
        writer.i64(self.marked_at);
        writer.i64(self.uncertain);
        writer.i64(self.signed_at);
        writer.bytes(&self.signature);
        writer.finish()
    }

    /// The row from its bytes.
    ///
    /// # Errors
    /// [`Code::StorageCorrupt`] where the bytes are no delivery row.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).map_err(|_| {
            Error::new(Code::StorageCorrupt, "a stored delivery row cannot be read; it is left as it is")
        })
    }

    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != Self::VERSION {
            return Err(Error::new(Code::StorageCorrupt, "unknown version"));
        }
        let committed = reader.i64()?;
        let (producer_id, epoch, start) = (reader.i64()?, reader.i16()?, reader.i64()?);
        let marker = (reader.i64()?, reader.i64()?);
        let row = Self {
            committed,
            producer_id,
            epoch,
            start,
            marker: (marker.0 >= 0).then_some(marker),
            marked_at: reader.i64()?,
            uncertain: reader.i64()?,
            signed_at: reader.i64()?,
            signature: reader.rest().to_vec(),
        };
        if row.is_plausible() { Ok(row) } else { Err(Error::new(Code::StorageCorrupt, "contradictory")) }
    }

    /// True where no sum of what it says can overflow.
    fn is_plausible(&self) -> bool {
        let offsets = [self.start, self.committed, self.uncertain];
        let (first, last) = self.marker.unwrap_or_default();
        offsets.iter().all(|offset| (0..=OFFSET_MAX).contains(offset))
            && self.start <= self.committed
            && first <= last
            && last <= OFFSET_MAX
    }
}
