"""Errors this project raises, one subclass per decision a caller can make.

CrossmodalError
├── MediaError               the file cannot serve as a query or an item
│   ├── UnsupportedMediaError    container or codec is not on the list
│   ├── UndecodableError         damaged, empty, or beyond what decoding may cost
│   ├── MediaTooLongError        longer than the allowed duration
│   ├── MediaTooBigError         more pixels, frames, streams or bytes than allowed
│   └── NoTrackError             no usable track of the modality asked for
├── DecoderBusyError         every decoding place is taken; try again
├── ShapeError               an array has the wrong shape, dtype or norm
├── ModalityError            a modality or direction this build or bundle lacks
├── DataError                a manifest, features file or data set is unusable
│   └── DivergenceError          training on it stopped giving finite numbers
├── FrontEndError            a front end is unknown, or its weights or runtime are missing
├── BundleError              an exported bundle is incomplete or incompatible
├── CollectionError          a data directory is damaged, foreign or locked
│   ├── ModelMismatchError       it was embedded by another bundle
│   ├── ModelChangedError        the bundle was changed while something was embedded
│   ├── CollectionLockedError    another process holds it
│   ├── DamagedDatabaseError     its database is damaged: recover it, or restore a backup
│   ├── WritingFailedError       nothing can be written at the moment
│   └── StorageFullError         too little space is left to write
├── IdempotencyConflictError an idempotency key came back with another request
├── UnknownItemError         no stored item, or no stored vector of it, bears the id
├── UnknownJobError          no job bears the id
└── ConfigError              a setting is missing, unknown or out of range
"""


class CrossmodalError(Exception):
    """Base of every error this project raises on purpose."""


class MediaError(CrossmodalError):
    """The file cannot serve as a query or an item."""


class UnsupportedMediaError(MediaError):
    """The container or codec is not on the list of those allowed."""


class UndecodableError(MediaError):
    """The file is damaged, empty, or costs more to decode than is allowed."""


class MediaTooLongError(MediaError):
    """The file declares a longer duration than is allowed."""


class MediaTooBigError(MediaError):
    """The file has more pixels, frames, streams or bytes than is allowed."""


class NoTrackError(MediaError):
    """The file holds no usable track of the modality asked for."""


class DecoderBusyError(CrossmodalError):
    """Every decoding place is taken; the caller may try again."""


class ShapeError(CrossmodalError):
    """An array has the wrong shape, dtype or norm."""


class ModalityError(CrossmodalError):
    """A modality or direction is unknown to this build or absent from the bundle."""


class DataError(CrossmodalError):
    """A manifest, features file or data set is unusable; names file and field."""


class DivergenceError(DataError):
    """Training stopped giving finite numbers: the rate is too high, or the data extreme."""


class FrontEndError(CrossmodalError):
    """A front end is unknown, or its weights or runtime are missing."""


class BundleError(CrossmodalError):
    """An exported bundle is incomplete, damaged or incompatible."""


class CollectionError(CrossmodalError):
    """A data directory is damaged, foreign or cannot be used."""


class ModelMismatchError(CollectionError):
    """The data directory was embedded by another bundle than the one given."""


class ModelChangedError(CollectionError):
    """The bundle was changed while something was embedded; embedding it again helps."""


class CollectionLockedError(CollectionError):
    """Another process holds the data directory."""


class DamagedDatabaseError(CollectionError):
    """The database or its log is damaged; what can be read of it may be recovered."""


class WritingFailedError(CollectionError):
    """Nothing can be written at the moment, as after an error of the disk."""


class StorageFullError(CollectionError):
    """Too little space is left on the disk to write; searching and deleting still work."""


class IdempotencyConflictError(CrossmodalError):
    """An idempotency key came back with another request than the one it stands for."""


class UnknownItemError(CrossmodalError):
    """No stored item, or no stored vector of it, bears the id asked for."""


class UnknownJobError(CrossmodalError):
    """No job bears the id."""


class ConfigError(CrossmodalError):
    """A setting is missing, unknown or out of range."""
