-- The service folds texts before it indexes them: case, accents, letters such as ł and ß, and pairs of characters
-- for scripts without blanks. So the tokenizer only has to cut words, and marks belong to them: the vowels of
-- Indic scripts are marks. The index is built anew from the journal, in the Writer's spare time.
DROP TABLE tasks_fts;

CREATE VIRTUAL TABLE tasks_fts USING fts5 (
    content, result, error,
    content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co'");

DELETE FROM meta WHERE key = 'indexed_event';
