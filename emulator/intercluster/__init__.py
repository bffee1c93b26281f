"""What two emulated clusters say to each other: ``offers(name)`` answers a peer, ``world.peers.call`` asks one."""

from emulator.intercluster.offers import Stream, offers

__all__ = ["Stream", "offers"]
