"""Files and disks that refuse, and what can be brought out of a damaged file."""

import os
import signal
import sqlite3
import stat
import sys
import unittest
from pathlib import Path
from typing import Any, List, Optional

import tracelite
from support import FolderCase
from tracelite import (
    BusyError,
    CorruptError,
    DiskFullError,
    InvalidError,
    NewerFormatError,
    NotFoundError,
    NotTraceliteError,
    OtherGeometryError,
    PermissionDeniedError,
    ReadOnlyError,
    Store,
    TraceliteError,
    salvage,
)


class ReadOnlyTest(FolderCase):
    def test_recording_is_refused(self) -> None:
        Store(self.path).close()
        with Store(self.path, read_only=True) as store:
            calls: List[Any] = [
                lambda: store.put_trace("t"),
                lambda: store.put_observation("o"),
                lambda: store.put_score("s", trace_id="t", name="n", value=1),
                lambda: store.put_session("s", is_public=True),
                store.span,
                lambda: store.import_events(b""),
                store.reindex,
                store.compact,
            ]
            for call in calls:
                with self.assertRaises(ReadOnlyError):
                    call()
            self.assertEqual(list(store.traces()), [])
            self.assertEqual(store.check(), ())
            store.flush()

    def test_the_file_must_exist(self) -> None:
        with self.assertRaises(NotFoundError) as caught:
            Store(self.path, read_only=True)
        self.assertIn("test.tl", str(caught.exception))
        self.assertFalse(self.path.exists())


class BadFileTest(FolderCase):
    def refused(self, kind: Any, path: Path, **options: Any) -> TraceliteError:
        with self.assertRaises(kind) as caught:
            Store(path, **options)
        error = caught.exception
        assert isinstance(error, TraceliteError)
        self.assertIs(error.status, kind.status)
        self.assertGreater(len(str(error)), 15)
        return error

    def test_other_files(self) -> None:
        text = self.folder / "text.tl"
        text.write_text("this is not a database, but it is long enough to be one" * 200)
        self.refused(NotTraceliteError, text)
        database = self.folder / "sqlite.tl"
        connection = sqlite3.connect(database)
        connection.execute("CREATE TABLE t(x)")
        connection.close()
        self.refused(NotTraceliteError, database)

    def test_a_newer_format_and_another_geometry(self) -> None:
        with Store(self.path) as store:
            store.put_trace("t", name="t")
        data = self.path.read_bytes()
        mark, magic = b"tracelite\0\0\0\x01", b"\xde\xc0\xef\xbe"
        self.assertIn(mark, data)
        self.path.write_bytes(data.replace(mark, mark[:-1] + b"\x09"))
        self.assertIn("version 9", str(self.refused(NewerFormatError, self.path)))
        if sys.byteorder == "little":
            self.path.write_bytes(data.replace(magic, magic[::-1]))
            self.refused(OtherGeometryError, self.path)

    def test_a_folder_and_a_missing_folder(self) -> None:
        self.assertIn("is a directory", str(self.refused(NotTraceliteError, self.folder)))
        self.refused(NotFoundError, self.folder / "no" / "folder.tl")

    def test_truncated(self) -> None:
        with Store(self.path) as store:
            for n in range(200):
                store.put_observation(f"o{n}", input="x" * 1000)
        size = self.path.stat().st_size
        for keep in (size // 2, 4096 * 3, 5000, 100):
            with self.subTest(keep):
                os.truncate(self.path, keep)
                with self.assertRaises((CorruptError, NotTraceliteError)):
                    Store(self.path)

    def test_retention(self) -> None:
        with Store(self.path) as store:
            for n in range(3):
                store.put_trace(f"old{n}", timestamp=10**9 * (n + 1), is_bookmarked=n == 1)
            store.put_trace("new")
        with Store(
            self.path,
            retention_age=365 * 86400.0,
            retention_size_bytes=2**20,
            retention_keeps_bookmarked=True,
        ) as store:
            position = 0
            while len(list(store.traces())) > 2:
                position = store.wait(position, timeout=60)
            self.assertEqual({trace.id for trace in store.traces()}, {"old1", "new"})
            self.assertEqual(store.counters()["retention"], 2)
        with self.assertRaisesRegex(InvalidError, "retention_size_bytes"):
            Store(self.path, retention_size_bytes=1)
        with self.assertRaisesRegex(InvalidError, "retention_age"):
            Store(self.path, retention_age=-1)

    def test_free_disk_min_bytes(self) -> None:
        with Store(self.path, free_disk_min_bytes=1) as store:
            store.put_trace(id="kept")
            store.flush()
        store = Store(self.path, free_disk_min_bytes=2**62)
        store.put_trace(id="waits")
        with self.assertRaisesRegex(DiskFullError, "free_disk_min_bytes"):
            store.flush()
        with self.assertRaises(DiskFullError):
            store.close(timeout=0)
        with Store(self.path) as store:
            self.assertEqual([each.id for each in store.traces()], ["kept"])

    def test_immutable(self) -> None:
        with Store(self.path) as store:
            store.put_trace(id="kept")
        with Store(self.path, immutable=True, read_only=True) as store:
            self.assertEqual([each.id for each in store.traces()], ["kept"])
            self.assertFalse(os.path.exists(f"{self.path}-lock"))
        self.refused(InvalidError, self.path, immutable=True)

    def test_untrusted(self) -> None:
        with Store(self.path) as store:
            store.put_trace("t", name="t")
        with Store(self.path, untrusted=True, read_only=True) as store:
            self.assertEqual([row.id for row in store.traces()], ["t"])
        data = self.path.read_bytes()
        mark = b"tracelite\0\0\0\x01\0\0\x10\0"
        self.path.write_bytes(data.replace(mark, mark[:-1] + b"\x01"))
        self.refused(CorruptError, self.path, untrusted=True)

    def test_space_adds_up_to_the_file(self) -> None:
        with Store(self.path) as store:
            for n in range(300):
                store.put_observation(f"o{n}", trace_id=f"t{n % 9}", input=f"payload {n} " * 50)
            store.flush()
            lines = store.space()
            self.assertEqual(sum(line.size_bytes for line in lines), store.stats().file_size_bytes)
            sizes = {(line.key_space, line.table): line.size_bytes for line in lines}
            for name in [("frame", ""), ("record", ""), ("page", "observation")]:
                self.assertGreater(sizes[name], 0, name)

    def test_damaged(self) -> None:
        noise = os.urandom(300_000)  # what does not compress is in the file as it is
        with Store(self.path) as store:
            for n in range(200):
                store.put_observation(f"o{n}", trace_id="t", input=f"payload {n} " * 50)
            store.put_observation("noise", trace_id="t", input=noise)
        data = bytearray(self.path.read_bytes())
        # It is cut where nobody can foresee.
        pieces = (data.find(noise[at : at + 20]) for at in range(150_000, 160_000, 20))
        data[next(at for at in pieces if at >= 0)] ^= 1
        self.path.write_bytes(data)
        with Store(self.path) as store:
            findings = store.check()
            self.assertGreater(len(findings), 0)
            self.assertTrue(findings[0].where and findings[0].message)
            with self.assertRaises(CorruptError):
                for row in store.observations():
                    row.input

    @unittest.skipUnless(hasattr(os, "geteuid"), "no users here")
    def test_no_permission(self) -> None:
        Store(self.path).close()
        self.path.chmod(0)
        if os.geteuid() == 0:  # who may do everything
            self.folder.chmod(0o755)
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        error = self.refused(PermissionDeniedError, self.path)
        self.assertIsInstance(error, PermissionError)


class DiskTest(FolderCase):
    """A file that may not grow: what is queued is kept, and written when it may again."""

    def limit(self, size_bytes: Optional[int]) -> None:
        import resource

        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes or most, most))

    @unittest.skipUnless(hasattr(signal, "SIGXFSZ"), "no limit of file sizes here")
    def test_no_room(self) -> None:
        self.addCleanup(self.limit, None)
        logged: List[Any] = []
        # Nothing is written before it is asked for.
        store = Store(self.path, commit_interval_ms=600_000, log=lambda *a: logged.append(a))
        store.put_trace("first", name="first")
        store.flush()
        self.limit(1 << 20)
        for n in range(20):
            store.put_trace(f"t{n}", input=os.urandom(100_000))
        with self.assertRaises(OSError) as caught:
            store.flush(timeout=60)
        self.assertIsInstance(caught.exception, TraceliteError)
        self.assertGreater(caught.exception.errno or 0, 0)
        self.assertEqual(len(list(store.traces())), 1)
        self.assertIn("tried again", str(logged))
        self.limit(None)
        store.flush(timeout=30)
        self.assertEqual(len(list(store.traces())), 21)

        self.limit(self.path.stat().st_size)
        for n in range(50):
            store.put_trace(f"u{n}", input=os.urandom(100_000))
        with self.assertRaises(TraceliteError) as lost:
            store.close(timeout=0.5)
        self.assertTrue(store.closed)
        self.limit(None)
        with Store(self.path) as again:
            self.assertEqual(again.check(), ())
            self.assertEqual(len(list(again.traces())), 71 - lost.exception.dropped_count)


class SalvageTest(FolderCase):
    def test_what_can_be_read_comes_out(self) -> None:
        made = self.path.with_name("salvaged.tl")
        with Store(self.path) as store:
            store.put_trace("t", name="t", input="x" * 5000)
            store.flush()
            before = list(store.traces())
            with self.assertRaises(BusyError):
                salvage(self.path, made)
        damaged = bytearray(self.path.read_bytes())
        damaged[:8192] = bytes(8192)
        self.path.write_bytes(damaged)
        calls: List[Any] = []
        report = salvage(self.path, made, progress=lambda *a: calls.append(a))
        self.assertEqual(calls[-1][0], calls[-1][1])
        self.assertEqual((report.trace_count, report.payload_count), (1, 1))
        self.assertEqual([finding.where for finding in report.findings], ["head"])
        self.assertTrue(report.is_all)
        with Store(made) as store:
            self.assertEqual(list(store.traces()), before)
            self.assertEqual(store.check(), ())
        with self.assertRaises(InvalidError):
            salvage(self.path, made)

        def stop(*_: Any) -> None:
            raise KeyError("stop")

        made.unlink()
        with self.assertRaises(KeyError):
            salvage(self.path, made, progress=stop)
        self.assertFalse(made.exists())


if __name__ == "__main__":
    unittest.main()
