"""Jobs: the download of a case or of one document; followed and cancelled."""
