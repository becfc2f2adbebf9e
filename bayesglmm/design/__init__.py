"""Spec and table to arrays, and the state that treats new rows alike. Imports rows 0-2; narwhals and formulaic have one door each."""
