"""The only code that speaks to ONTAP. Functions take a ``Client`` first and keywords after, and give small records."""
