"""Offline folium maps and the web assets they need."""
