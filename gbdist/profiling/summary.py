"""A timeline on one screen: where the time of the run went, and whom the ranks waited for."""

from collections.abc import Iterator, Sequence

from gbdist.boosting.spans import OTHER, WAITING
from gbdist.counted import one_of, rate_words
from gbdist.profiling.timeline import SECOND, RankTrack, Timeline

#: Stages with less than this share of all ranks' time are added up.
_LEAST_SHARE = 0.002
_MOST_NOTES = 8
#: A rank that waits this much less, as a share of the training time, is one that the others wait for.
_BEHIND = 0.05


def summary_of(timeline: Timeline) -> str:
    """Some lines of text, each at most 100 characters wide but for names."""
    return "\n".join(_lines(timeline)) + "\n"


def _lines(timeline: Timeline) -> Iterator[str]:
    last = [track for track in timeline.tracks if track.epoch == timeline.tracks[-1].epoch] if timeline.tracks else []
    yield _headline(timeline, last)
    for phase in timeline.phases:
        rate = ""
        if phase.name == "training" and timeline.iterations:
            rate = rate_words(timeline.iterations / max(phase.seconds, 1e-9), timeline.counted)
            rate = f"   {timeline.iterations:,} {timeline.counted}, {rate}"
        yield f"  {phase.name:<14}{phase.seconds:10.2f} s{rate}"
    if not timeline.tracks:
        yield "no rank told where its time went"
        return
    yield ""
    yield from _stages(timeline.tracks)
    yield from _traffic(timeline)
    yield from _behind(last)
    if any(track.cut for track in timeline.tracks):
        yield f"The timeline has whole {timeline.counted} alone from where it became too long; the sums above are whole."
    if timeline.tasks is None:
        yield "The scheduler could not be asked when tasks were done: the timeline has none."
    yield from _notes(timeline)


def _headline(timeline: Timeline, last: Sequence[RankTrack]) -> str:
    rows = sum(track.rows for track in last)
    shape = f"{rows:,} rows x {timeline.features:,} features" if rows else f"{timeline.features:,} features"
    return f"{timeline.title}: {shape}, ranks: {len(last)}"


def _stages(tracks: Sequence[RankTrack]) -> Iterator[str]:
    """A line a stage, the longest first."""
    names = {name for track in tracks for name in track.seconds}
    whole = sum(track.whole for track in tracks) or 1.0
    total = {name: sum(track.seconds.get(name, 0.0) for track in tracks) for name in names}
    small = [name for name in names if total[name] < _LEAST_SHARE * whole and name != OTHER]
    yield f"  {'stage':<14}{'share':>7}{'mean of ranks':>17}{'least':>11}{'most':>11}"
    for name in sorted(names - {*small, OTHER}, key=lambda name: -total[name]):
        yield _row(name, [track.seconds.get(name, 0.0) for track in tracks], whole)
    rest = [sum(track.seconds.get(name, 0.0) for name in (*small, OTHER)) for track in tracks]
    yield _row(OTHER, rest, whole)


def _row(name: str, seconds: Sequence[float], whole: float) -> str:
    total = sum(seconds)
    figures = (total / len(seconds), min(seconds), max(seconds))
    mean, least, most = (f"{value:.3f} s" for value in figures)
    return f"  {name:<14}{total / whole:>7.1%}{mean:>17}{least:>11}{most:>11}"


def _traffic(timeline: Timeline) -> Iterator[str]:
    sent = sum(track.bytes_sent for track in timeline.tracks)
    if sent and timeline.iterations:
        each = sent / timeline.iterations
        yield f"Ranks sent {_bytes(sent)} in all, {_bytes(each)} for each {one_of(timeline.counted)}."


def _behind(tracks: Sequence[RankTrack]) -> Iterator[str]:
    """The rank of the last gang that waited least, if much less than the others."""
    if len(tracks) < 2:
        return
    ordered = sorted(tracks, key=lambda track: track.seconds.get(WAITING, 0.0))
    first, second = ordered[0], ordered[1]
    lead = second.seconds.get(WAITING, 0.0) - first.seconds.get(WAITING, 0.0)
    if lead > _BEHIND * max(first.whole, 1e-9):
        yield f"The others waited for rank {first.rank} ({first.worker}), {lead:.2f} s at least."


def _notes(timeline: Timeline) -> Iterator[str]:
    if timeline.epochs > 1:
        yield f"Gangs: {timeline.epochs}. {timeline.counted.capitalize()} that were lost and done again are counted twice."
    for note in timeline.notes[:_MOST_NOTES]:
        yield f"  {(note.time - timeline.start) / SECOND:8.2f} s  {note.text}"
    if len(timeline.notes) > _MOST_NOTES:
        yield f"  and {len(timeline.notes) - _MOST_NOTES} more"


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"
