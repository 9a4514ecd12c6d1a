"""Media the emulator makes: pictures, charts, audio and video, small but valid."""
