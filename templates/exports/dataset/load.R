# Opens this dataset in R: base R for the CSV files, the package arrow for the Parquet files.
#
#   source("load.R")
#   legs <- load_table("ceap")                    # codes in words, as factors
#   coded <- load_table("ceap", labels = FALSE)   # the codes themselves
#   attr(legs$limb, "label")                      # what a column means
#   why <- absences("ceap")                       # why values of load_table("ceap") are missing
#
# It reads the folder in which it lies: the CSV files where there are any, else the Parquet files.
# Types, labels and codes come from codebook.csv; nothing is guessed.

dataset_folder <- local({
  sourced <- unlist(lapply(sys.frames(), function(frame) frame$ofile))
  sourced <- sourced[file.exists(sourced)]
  if (length(sourced)) dirname(normalizePath(sourced[length(sourced)])) else getwd()
})

read_texts <- function(path) {
  read.csv(path, colClasses = "character", na.strings = "", check.names = FALSE,
           encoding = "UTF-8", stringsAsFactors = FALSE)
}

dataset_codebook <- read_texts(file.path(dataset_folder, "codebook.csv"))
dataset_codebook[is.na(dataset_codebook)] <- ""
dataset_tables <- unique(dataset_codebook$table)

columns_of <- function(table) {
  found <- dataset_codebook[dataset_codebook$table == table, ]
  if (!nrow(found)) stop("There is no table ", table, " in this dataset.")
  found
}

# A cell of choices, code=label|code=label, as labels named by their codes.
choices_of <- function(cell) {
  pairs <- strsplit(cell, "|", fixed = TRUE)[[1]]
  code <- sub("^(.[^=]*)=.*$", "\\1", pairs)
  label <- substring(pairs, nchar(code) + 2)
  names(label) <- code
  label
}

# The values of a table as its file has them, each as text.
read_values <- function(table) {
  packed <- file.path(dataset_folder, "csv", paste0(table, ".csv.gz"))
  for (path in c(packed, sub("[.]gz$", "", packed))) {
    if (file.exists(path)) return(read_texts(path))
  }
  if (!requireNamespace("arrow", quietly = TRUE)) {
    stop("Install the package arrow to read the Parquet files.")
  }
  path <- file.path(dataset_folder, "parquet", paste0(table, ".parquet"))
  values <- as.data.frame(arrow::read_parquet(path))
  values[] <- lapply(values, as.character)
  values
}

typed <- function(values, about, labels) {
  choices <- choices_of(about$choices)
  if (about$kind == "text") return(values)
  if (about$kind == "number") return(as.numeric(values))
  if (about$kind != "choice" && (!labels || !length(choices))) return(as.integer(values))
  if (length(setdiff(values, c(NA, names(choices))))) {
    stop("Not described by the codebook: a value of ", about$column)
  }
  words <- if (labels) unname(choices) else names(choices)
  factor(values, names(choices), words, ordered = about$kind == "score")
}

# A table as a data frame. With labels every coded column is a factor of words, in the order of
# the codebook; without, a code is a factor of codes, and yes or no and scores are integers.
load_table <- function(table, labels = TRUE) {
  columns <- columns_of(table)
  values <- read_values(table)
  for (place in seq_len(nrow(columns))) {
    about <- columns[place, ]
    column <- typed(values[[about$column]], about, labels)
    attr(column, "label") <- about$label
    if (nzchar(about$unit)) attr(column, "unit") <- about$unit
    values[[about$column]] <- column
  }
  values
}

# Beside each missing value of a table the reason that was recorded, if one was. Rows and columns
# are those of load_table(table); keys are kept, and whatever is not missing, or missing without a
# recorded reason, is NA.
absences <- function(table, labels = TRUE) {
  columns <- columns_of(table)
  keys <- columns$column[columns$key == "yes"]
  values <- read_values(table)
  codes <- read_values("absence_codes")
  codes <- codes[codes$form %in% columns$form, ]
  codes[is.na(codes)] <- ""
  if ("ulcer" %in% keys) codes$ulcer <- codes$occurrence # coded under its ulcer's label
  reasons <- load_table(table, labels)
  others <- columns$column[columns$key != "yes"]
  reasons[others] <- rep(list(rep(NA_character_, nrow(reasons))), length(others))
  if (!nrow(codes) || !all(keys %in% names(codes))) return(reasons)
  words <- columns_of("absence_codes")
  words <- choices_of(words$choices[words$column == "code"])
  key_of <- function(rows) {
    rows <- rows[keys]
    rows[is.na(rows)] <- ""
    do.call(paste, c(unname(rows), sep = "\r"))
  }
  rows <- key_of(values)
  coded <- key_of(codes)
  for (name in others) {
    item <- codes$item == columns$item[columns$column == name]
    reason <- codes$code[item][match(rows, coded[item])]
    reason[!is.na(values[[name]])] <- NA
    reasons[[name]] <- if (labels) unname(words[reason]) else reason
  }
  reasons
}
