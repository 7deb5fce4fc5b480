"""The bundled plugins, one folder per vendor. They come in by the entry-point group `hub`, like anyone else's."""
