"""A document that several processes keep in one folder, each its part, and a page made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from extract_project.errors import NoSuchObject, NotPublished
from extract_project.problem import suggestion
from extract_project.store.folder import Folder
from extract_project.store.protocol import Absent, Condition, Holds, NotApplied

_TRIES = 3


class InParts(Protocol):
    """A document in parts, each with a name."""

    @property
    def names(self) -> Sequence[str]: ...

    def without(self, name: str) -> Self: ...


D = TypeVar("D", bound=InParts)


@dataclass(frozen=True)
class SharedDocument(Generic[D]):
    """How the document is read and written, and where."""

    key: str
    content_type: str
    page_key: str
    """Of the page, which is HTML."""
    where: str
    """Where a part is, for messages: `in the catalogue`."""
    read: Callable[[bytes], D]
    """Raises ValueError for what another release wrote: that is made anew."""
    write: Callable[[D], bytes]
    page: Callable[[D], bytes]

    def kept(self, folder: Folder) -> tuple[D | None, Condition]:
        """The document as it is, and the condition under which it may be replaced."""
        try:
            fetched = folder.store.read(folder.key(self.key))
        except NoSuchObject:
            return None, Absent()
        try:
            return self.read(fetched.body), Holds(fetched.token)
        except ValueError:
            return None, Holds(fetched.token)

    def replace(self, folder: Folder, changed: Callable[[D | None], D]) -> D:
        """Replace the document and its page by what `changed` makes of it.

        Where another process replaces it meanwhile, `changed` is called again with what that one
        wrote. Raises StoreError.
        """
        for tries_left in reversed(range(_TRIES)):
            kept, condition = self.kept(folder)
            document = changed(kept)
            key, body = folder.key(self.key), self.write(document)
            try:
                written = folder.store.put(key, body, self.content_type, condition=condition)
            except NotApplied:
                if not tries_left:
                    raise
            else:
                self._write_page(folder, document, written.token)
                return document
        raise AssertionError("the last try returns or raises")

    def forget(self, folder: Folder, name: str) -> None:
        """Remove a part. Raises StoreError, and NotPublished if there is none of this name."""

        def changed(kept: D | None) -> D:
            known = kept.names if kept is not None else ()
            if kept is None or name not in known:
                raise NotPublished(f"{name} is not {self.where}: {suggestion(name, known)}")
            return kept.without(name)

        self.replace(folder, changed)

    def _write_page(self, folder: Folder, document: D, token: str) -> None:
        """Write the page of a document, and of a newer one that somebody has written meanwhile: of
        two that write the page at once, the one that is late sees the other one's document.
        """
        for _ in range(_TRIES):
            page = self.page(document)
            folder.store.put(folder.key(self.page_key), page, "text/html; charset=utf-8")
            newest = folder.store.find(folder.key(self.key))
            if newest is None or newest.token == token:
                return
            kept, condition = self.kept(folder)
            if kept is None or not isinstance(condition, Holds):
                return
            document, token = kept, condition.token
