"""The declarations in _c.py against the C header: constants, struct layouts, prototypes."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from enum import IntEnum
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple, Type

from support import ROOT
from tracelite import (
    DataType,
    Durability,
    Form,
    FullPolicy,
    Level,
    ObservationType,
    Order,
    Phase,
    Source,
    _c,
)
from tracelite._values import Code

HEADER = ROOT / "include" / "tracelite" / "tracelite.h"

WORDS: Dict[str, Type[IntEnum]] = {
    "TL_": _c.Status,
    "TL_KIND_": _c.Kind,
    "TL_FIELD_": _c.Field,
    "TL_REASON_": _c.Reason,
    "TL_LOG_": _c.LogLevel,
    "TL_READ_AS_": _c.ReadMode,
}
CODES: Dict[str, Type[Code]] = {
    "TL_TYPE_": ObservationType,
    "TL_LEVEL_": Level,
    "TL_DATA_TYPE_": DataType,
    "TL_SOURCE_": Source,
    "TL_FORM_": Form,
    "TL_PHASE_": Phase,
    "TL_ORDER_": Order,
    "TL_FULL_": FullPolicy,
    "TL_DURABILITY_": Durability,
}
# Words that only a filter or a sum of flags needs.
WITHOUT_MEMBER = {
    "TL_TYPE_ANY": 0,
    "TL_LEVEL_ANY": 0,
    "TL_ORDER_ASCENDING": _c.ORDER_ASCENDING,
}

STRUCTS: Dict[str, Type[ctypes.Structure]] = {
    "tl_text": _c.Text,
    "tl_payload": _c.Payload,
    "tl_usage": _c.Usage,
    "tl_cost": _c.Cost,
    "tl_trace": _c.Trace,
    "tl_observation": _c.Observation,
    "tl_score": _c.Score,
    "tl_session": _c.Session,
    "tl_options": _c.Options,
    "tl_close_report": _c.CloseReport,
    "tl_outcome": _c.Outcome,
    "tl_import_report": _c.ImportReport,
    "tl_filter": _c.Filter,
    "tl_aggregate": _c.Aggregate,
    "tl_row": _c.Row,
    "tl_replay_options": _c.ReplayOptions,
    "tl_medium": _c.Medium,
    "tl_statistics": _c.Statistics,
    "tl_delete_report": _c.DeleteReport,
    "tl_salvage_report": _c.SalvageReport,
    "tl_error_info": _c.ErrorInfo,
}

TWINS = (
    (_c.Text, _c.TextOut),
    (_c.Usage, _c.UsageOut),
    (_c.Cost, _c.CostOut),
    (_c.Trace, _c.TraceOut),
    (_c.Observation, _c.ObservationOut),
    (_c.Score, _c.ScoreOut),
    (_c.Session, _c.SessionOut),
    (_c.Outcome, _c.OutcomeOut),
    (_c.Aggregate, _c.AggregateOut),
    (_c.Medium, _c.MediumOut),
)

# Parameter types as the header spells them, without const and names.
HANDLES = ("tl_store *", "tl_span *", "tl_snapshot *", "tl_cursor *")
PARAMETERS: Dict[str, Any] = {
    "tl_status": ctypes.c_int32,
    "tl_kind": ctypes.c_int32,
    "tl_order": ctypes.c_int32,
    "tl_field": ctypes.c_int32,
    "tl_read_mode": ctypes.c_int32,
    "tl_format": ctypes.c_int32,
    "tl_reason": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "size_t": ctypes.c_size_t,
    "char *": ctypes.c_char_p,
    "void *": ctypes.c_void_p,
    "uint64_t *": ctypes.POINTER(ctypes.c_uint64),
    "size_t *": ctypes.POINTER(ctypes.c_size_t),
    "tl_text": _c.Text,
    "tl_text *": ctypes.POINTER(_c.TextOut),
    "tl_read_fn": _c.ReadFn,
    "tl_write_fn": _c.WriteFn,
    "tl_outcome_fn": _c.OutcomeFn,
    "tl_progress_fn": _c.ProgressFn,
    "tl_finding_fn": _c.FindingFn,
    "tl_space_fn": _c.SpaceFn,
    **{handle: ctypes.c_void_p for handle in HANDLES},
    **{handle + "*": ctypes.POINTER(ctypes.c_void_p) for handle in HANDLES},
    **{
        name + " *": ctypes.POINTER(struct) for name, struct in STRUCTS.items() if name != "tl_text"
    },
    "tl_medium *": ctypes.POINTER(_c.MediumOut),
}
CALLBACKS: Dict[str, Any] = {
    "tl_read_fn": _c.ReadFn,
    "tl_write_fn": _c.WriteFn,
    "tl_progress_fn": _c.ProgressFn,
    "tl_log_fn": _c.LogFn,
    "tl_mask_fn": _c.MaskFn,
    "tl_finding_fn": _c.FindingFn,
    "tl_space_fn": _c.SpaceFn,
    "tl_outcome_fn": _c.OutcomeFn,
}
CALLBACK_PARAMETERS = {
    **PARAMETERS,
    "tl_log_level": ctypes.c_int32,
    "tl_text": _c.TextOut,
    "tl_outcome *": ctypes.POINTER(_c.OutcomeOut),
    "void": None,
}


def header_text() -> str:
    """The header without comments."""
    return re.sub(r"/\*.*?\*/", " ", HEADER.read_text(), flags=re.DOTALL)


def type_of(parameter: str) -> str:
    """The type of a parameter or result: `const tl_text *tags` -> `tl_text *`."""
    words = re.sub(r"\bconst\b", " ", parameter).replace("*", " * ").split()
    stars = "*" * words.count("*")
    return f"{words[0]} {stars}".strip()


@unittest.skipUnless(HEADER.is_file(), "no header beside the package")
class HeaderTest(unittest.TestCase):
    def test_version(self) -> None:
        numbers = re.findall(r"TL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header_text())
        self.assertEqual(".".join(numbers), _c.VERSION)
        self.assertEqual(_c.library().tl_version().decode(), _c.VERSION)

    def test_prototypes(self) -> None:
        found = re.findall(r"TL_API\s+([^;(]*?)(\w+)\(([^;]*?)\);", header_text(), re.DOTALL)
        self.assertGreater(len(found), 30)
        self.assertEqual({name for _, name, _ in found}, set(_c.FUNCTIONS))
        results = {"void": None, "tl_error_info *": ctypes.POINTER(_c.ErrorInfo)}
        for result, name, parameters in found:
            with self.subTest(name):
                own_result, own_parameters = _c.FUNCTIONS[name]
                spelled = type_of(result)
                self.assertEqual({**PARAMETERS, **results}[spelled], own_result)
                types = [type_of(each) for each in parameters.split(",")]
                expected = [PARAMETERS[each] for each in types if each != "void"]
                self.assertEqual(expected, list(own_parameters))

    def test_callbacks(self) -> None:
        found = re.findall(r"typedef (\w+) \(\*(\w+)\)\(([^;]*?)\);", header_text(), re.DOTALL)
        self.assertEqual({name for _, name, _ in found}, set(CALLBACKS))
        for result, name, parameters in found:
            with self.subTest(name):
                own = CALLBACKS[name]
                self.assertEqual(CALLBACK_PARAMETERS[result], own._restype_)
                expected = [CALLBACK_PARAMETERS[type_of(each)] for each in parameters.split(",")]
                self.assertEqual(expected, list(own._argtypes_))

    def test_twins_have_one_layout(self) -> None:
        for struct, twin in TWINS:
            with self.subTest(struct.__name__):
                self.assertEqual(ctypes.sizeof(struct), ctypes.sizeof(twin))
                for (name, *_), (twin_name, *_) in zip(struct._fields_, twin._fields_):
                    self.assertEqual(name, twin_name)
                    self.assertEqual(getattr(struct, name).offset, getattr(twin, name).offset)

    def test_texts_that_come_out_are_not_read_up_to_a_zero_byte(self) -> None:
        for _, twin in TWINS:
            for name, kind, *_ in twin._fields_:
                self.assertIsNot(kind, ctypes.c_char_p, f"{twin.__name__}.{name}")

    def test_every_struct_and_member_is_mirrored(self) -> None:
        found = re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", header_text(), re.DOTALL)
        self.assertEqual({name for name, _ in found}, set(STRUCTS))
        for name, body in found:
            with self.subTest(name):
                members = re.findall(r"(\w+);", body)
                own = [path.split(".")[0] for path, _ in paths_of(name)]
                self.assertEqual(members, list(dict.fromkeys(own)))

    def test_values_and_layouts(self) -> None:
        """What a C compiler says about every constant, size and offset."""
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
        if not compiler:
            self.skipTest("no C compiler")
        constants = self.constants()
        declared = set(re.findall(r"\b(TL_[A-Z_]+) = ", header_text()))
        alone = {
            "TL_FORMAT_LANGFUSE": _c.FORMAT_LANGFUSE,
            "TL_OPEN_IMMUTABLE": _c.OPEN_IMMUTABLE,
            "TL_OPEN_UNTRUSTED": _c.OPEN_UNTRUSTED,
            "TL_RETENTION_KEEP_BOOKMARKED": _c.RETENTION_KEEP_BOOKMARKED,
        }
        self.assertEqual(declared - set(alone), set(constants))
        constants.update(alone)

        expected: Dict[str, int] = dict(constants)
        lines = [f'  SAY("{name}", {name});' for name in constants]
        for name, struct in STRUCTS.items():
            expected[f"sizeof {name}"] = ctypes.sizeof(struct)
            lines.append(f'  SAY("sizeof {name}", sizeof({name}));')
            for path, own in paths_of(name):
                key = f"{name}.{path}"
                expected[key] = getattr(struct, own).offset
                lines.append(f'  SAY("{key}", offsetof({name}, {path}));')
                expected[key + " size"] = getattr(struct, own).size
                lines.append(f'  SAY("{key} size", sizeof((({name} *)0)->{path}));')
        program = (
            "#include <stdio.h>\n#include <stddef.h>\n#include <tracelite/tracelite.h>\n"
            '#define SAY(name, value) printf("%s\\"%s\\": %lld", comma, name, (long long)(value)), '
            'comma = ",\\n"\n'
            'int main(void) {\n  const char *comma = "{";\n' + "\n".join(lines) + "\n"
            '  puts("}");\n  return 0;\n}\n'
        )
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "layout.c"
            source.write_text(program)
            binary = Path(folder) / "layout"
            subprocess.run(
                [
                    compiler,
                    "-std=c11",
                    f"-I{HEADER.parent.parent}",
                    str(source),
                    "-o",
                    str(binary),
                ],
                check=True,
            )
            answer = subprocess.run([str(binary)], check=True, stdout=subprocess.PIPE)
        self.assertEqual(json.loads(answer.stdout), expected)

    def constants(self) -> Dict[str, int]:
        constants: Dict[str, int] = dict(WITHOUT_MEMBER)
        for prefix, words in WORDS.items():
            constants.update({prefix + name: int(word) for name, word in words.__members__.items()})
        for prefix, codes in CODES.items():
            constants.update({prefix + name: code.code for name, code in codes.__members__.items()})
        return constants


def paths_of(name: str) -> List[Tuple[str, str]]:
    """The members of a struct as C spells them, with their names here: ("id.data", "id"), ..."""
    names = [member[0] for member in STRUCTS[name]._fields_]
    known: Set[str] = set(names)
    paths = []
    for own in names:
        if name in ("tl_text", "tl_payload"):
            text = name == "tl_payload" and own != "form"
            paths.append((f"text.{own}" if text else own, own))
        elif own.endswith("_form"):
            paths.append((own[:-5] + ".form", own))
        elif own.endswith("_size_bytes") and own[:-11] in known:
            inner = ".text" if own[:-11] + "_form" in known else ""
            paths.append((f"{own[:-11]}{inner}.size_bytes", own))
        elif own + "_size_bytes" in known:
            inner = ".text" if own + "_form" in known else ""
            paths.append((f"{own}{inner}.data", own))
        else:
            paths.append((own, own))
    return paths
