"""Which model a caller asks for, and the one that fits a library."""

from dataclasses import dataclass, replace

from framefind.arguments import text
from framefind.errors import LibraryError
from framefind.files import config
from framefind.models import registry
from framefind.models.base import Model


def default_model(library: str | None = None) -> str:
    """Return the model of a new library, by its full name: what was chosen, else `mini`.

    Raises ChoiceError for an unknown name.
    """
    setting = config.read_settings(library)["model"]
    with setting.blamed():
        return registry.full_name(setting.value)


@dataclass(frozen=True)
class ModelChoice:
    """The model that a caller names, if any, and where and in which numbers it shall run."""

    name: str | None = None
    device: str = "auto"
    precision: str = "auto"

    @classmethod
    def parse(cls, name: str | None, device: str, precision: str) -> "ModelChoice":
        """Return a choice with the model's full name. Raises ChoiceError for unknown names."""
        registry.check_choices(device, precision)
        return cls(
            None if name is None else registry.full_name(text(name, "model")), device, precision
        )

    def named(self, name: str | None) -> "ModelChoice":
        """Return this choice with another model, if one is named."""
        return self if name is None else replace(self, name=registry.full_name(text(name, "model")))

    def load(self, library: str) -> Model:
        """Load the model of a new library: the named one, else the default."""
        return registry.load(self.name or default_model(library), self.device, self.precision)

    def reopen(self, library: str, fingerprint: dict[str, str]) -> Model:
        """Load the model that made a library's vectors, or another file of the same checkpoint.

        Raises LibraryError if its vectors cannot be compared with those of the library.
        """
        made_with = fingerprint["model"]
        made_at = fingerprint.get("precision", "auto")
        if self.name and self.name != made_with:
            is_local = self.name.startswith("local-dir:") and "source" in fingerprint
            model = self.load(library) if is_local else None
            if model is None or not registry.interchangeable(fingerprint, model.fingerprint):
                raise LibraryError(
                    f"{library} was made with {made_with}, not {self.name}: leave `model` out, or "
                    f"move it over with `reembed({self.name!r})`"
                )
            return model
        if self.precision not in ("auto", made_at) and "runtime" not in fingerprint:
            raise LibraryError(
                f"{library} was made with {made_with} at {made_at}, not {self.precision}: leave "
                f"`precision` out, or move it over with `reembed({made_with!r})`"
            )
        model = registry.reopen(fingerprint, self.device, self.precision)
        if not registry.interchangeable(fingerprint, model.fingerprint):
            raise LibraryError(
                f"{library} was made with other weights or preprocessing of {made_with} than "
                f"those here: bring them back, or move it over with `reembed({made_with!r})`"
            )
        return model
