"""Arrow's view types, which Polars writes, as the types that every function of Arrow takes."""

from __future__ import annotations

from pipeline.data.reading import arrow as pa


def without_views(table: pa.Table) -> pa.Table:
    """The table with plain columns of text and bytes for string_view and binary_view.

    Those inside structs and dictionaries too.
    """
    for position, field in enumerate(table.schema):
        kind = plain_type(field.type)
        if kind != field.type:
            table = table.set_column(position, field.name, _cast(table.column(position), kind))
    return table


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of the same values that no view is."""
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, plain_type(kind.value_type), kind.ordered)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(plain_type(field.type)) for field in kind])
    return kind


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(kind.value_type))
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, kind)
