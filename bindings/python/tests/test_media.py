"""Media in payloads: taken out, put back, and read by themselves."""

import base64
import random
import unittest
from typing import List

from support import StoreCase
from tracelite import Form, Json, Media, NotFoundError, Payload, Store


class MediaTest(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.image = random.Random(1).randbytes(5000)
        self.uri = "data:image/png;base64," + base64.b64encode(self.image).decode()

    def put(self, value: object) -> None:
        self.store.put_observation("o", trace_id="t", input=value, metadata={"image": self.uri})
        self.store.flush()

    def test_a_payload_comes_back_as_given_and_shows_references_as_stored(self) -> None:
        self.put("see " + self.uri)
        row = self.store.get_observation("o", trace_id="t")
        self.assertEqual(row.input, "see " + self.uri)
        self.assertEqual(row.input_size_bytes, len("see " + self.uri))
        self.assertEqual(row.input_as_stored.form, Form.TEXT)
        stored = row.input_as_stored.text
        self.assertRegex(
            stored,
            r"^see @@@langfuseMedia:type=image/png\|id=[\w-]{22}\|source=base64_data_uri@@@$",
        )
        self.assertEqual(row.metadata_as_stored.value, {"image": stored[4:]})
        self.assertEqual(row.output_as_stored.form, Form.ABSENT)
        # Through a cursor that stands on the row, too.
        for live in self.store.observations():
            self.assertEqual(live.input_as_stored.text, stored)
            self.assertEqual(live.input, "see " + self.uri)

    def test_json_is_exact(self) -> None:
        text = '{ "inline_data" : {"mime_type":"a/b", "data":"%s"} }' % self.uri[22:]
        self.put(Json(text))
        row = self.store.get_observation("o", trace_id="t")
        self.assertEqual(row.input_text, text)
        self.assertNotIn(self.uri[22:60], row.input_as_stored.text)

    def test_a_medium_is_read_by_id_and_by_reference(self) -> None:
        self.put(self.uri)
        reference = self.store.get_observation("o", trace_id="t").input_as_stored.text
        id = reference.split("id=")[1][:22]
        with self.store.snapshot() as snapshot:
            for media in (self.store.read_media(id), snapshot.read_media(reference)):
                self.assertEqual(media, Media("image/png", len(self.image), 2, self.image))
        part = self.store.read_media(id, offset=4990, size_bytes=100)
        self.assertEqual(part.data, self.image[4990:])
        self.assertEqual(part.size_bytes, 5000)
        self.assertEqual(self.store.read_media(id, offset=6000).data, b"")
        self.assertEqual(self.store.read_media(id, offset=1, size_bytes=2).data, self.image[1:3])

    def test_the_longest_type(self) -> None:
        mime = "image/" + "x" * 94
        self.put("data:%s;base64,%s" % (mime, base64.b64encode(self.image[1:]).decode()))
        reference = self.store.get_observation("o", trace_id="t").input_as_stored.text
        self.assertEqual(self.store.read_media(reference).mime, mime)

    def test_what_is_not_there_is_not_found(self) -> None:
        for id in ("", "nothing", "A" * 22):
            with self.assertRaises(NotFoundError):
                self.store.read_media(id)

    def test_the_mask_sees_references(self) -> None:
        seen: List[Payload] = []

        def mask(field: str, payload: Payload) -> Payload:
            seen.append(payload)
            return payload

        self.store.close()
        with Store(self.path, mask=mask) as store:
            store.put_observation("m", trace_id="t", input="see " + self.uri)
            store.flush()
            self.assertEqual(store.get_observation("m", trace_id="t").input, "see " + self.uri)
        (payload,) = seen
        self.assertNotIn("base64,", payload.text)
        self.assertIn("@@@langfuseMedia:type=image/png|", payload.text)


if __name__ == "__main__":
    unittest.main()
