"""The classes of the demo corpus: one visible table."""

from __future__ import annotations

from collections.abc import Mapping

from training.demo.classes.ball import Ball
from training.demo.classes.bell import Bell
from training.demo.classes.bird import Bird
from training.demo.classes.clock import Clock
from training.demo.classes.drum import Drum
from training.demo.classes.engine import Engine
from training.demo.classes.fireworks import Fireworks
from training.demo.classes.heartbeat import Heartbeat
from training.demo.classes.rain import Rain
from training.demo.classes.siren import Siren
from training.demo.classes.waves import Waves
from training.demo.classes.xylophone import Xylophone
from training.demo.scene import SceneClass

CLASSES: Mapping[str, SceneClass] = {
    "ball": Ball,
    "bell": Bell,
    "bird": Bird,
    "clock": Clock,
    "drum": Drum,
    "engine": Engine,
    "fireworks": Fireworks,
    "heartbeat": Heartbeat,
    "rain": Rain,
    "siren": Siren,
    "waves": Waves,
    "xylophone": Xylophone,
}
