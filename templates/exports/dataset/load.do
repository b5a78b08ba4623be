{% comment %}See registry/exports/about/stata.py.{% endcomment %}{% autoescape off %}* Opens this dataset in Stata 14 or later, one table at a time.
*
* Stata does not read packed files: unpack those in the folder csv first, each beside itself,
*   on Linux or a Mac   cd csv; gunzip -k *.gz
*   on Windows          with 7-Zip, "Extract here"
* Then make this folder the working one and name a table:
*
*   cd "C:/the folder in which this file lies"
*   do load.do ceap
*
* Without one it names the tables that there are.
*
* Codes become numbers with value labels, in the order of codebook.csv. Where it was recorded why
* a value is missing, it is one of Stata's missing values:
{% for code, value, label in missing %}*   {{ value }}  {{ label }}
{% endfor %}* Names of more than 32 characters are shortened; the whole one is kept:  char list NAME[column]

version 14
args table

* Read a file: every value as text, the names of its columns as the first row.
capture program drop saphena_open
program define saphena_open
    args table
    capture confirm file "csv/`table'.csv"
    if _rc {
        display as error "csv/`table'.csv: unpack it first, and cd to the folder of load.do"
        exit 601
    }
    quietly import delimited using "csv/`table'.csv", clear delimiters(",") ///
        varnames(nonames) stringcols(_all) bindquote(strict) encoding("UTF-8")
end

* Give a column its name, if it is the one that the codebook has in this place.
capture program drop saphena_name
program define saphena_name
    args place name column
    if v`place'[1] != "`column'" {
        display as error "column `place' is not `column'"
        exit 459
    }
    rename v`place' `name'
    char `name'[column] "`column'"
end

* Text to a number; anything else that stands there is an error.
capture program drop saphena_number
program define saphena_number
    args name
    tempvar number
    quietly generate double `number' = real(`name')
    quietly count if missing(`number') & `name' != ""
    if r(N) {
        display as error "`name': not all values are numbers"
        exit 459
    }
    saphena_instead `name' `number'
end

* Codes to 1, 2, 3 in the order in which they are named.
capture program drop saphena_code
program define saphena_code
    gettoken name 0 : 0
    tempvar number
    quietly generate int `number' = .
    local value 0
    gettoken code 0 : 0
    while `"`code'"' != "" {
        local ++value
        quietly replace `number' = `value' if `name' == `"`code'"'
        gettoken code 0 : 0
    }
    quietly count if missing(`number') & `name' != ""
    if r(N) {
        display as error "`name': a code is not in the codebook"
        exit 459
    }
    saphena_instead `name' `number'
end

* A value label of pairs of a number and its words; the reasons of missing values are in each.
capture program drop saphena_label
program define saphena_label
    gettoken name 0 : 0
    gettoken value 0 : 0
    while "`value'" != "" {
        gettoken words 0 : 0
        label define `name' `value' `"`words'"', modify
        gettoken value 0 : 0
    }{% for code, value, label in missing %}
    label define `name' {{ value }} "{{ label }}", modify{% endfor %}
end

* Put a variable in the place of another, with its name.
capture program drop saphena_instead
program define saphena_instead
    args name number
    local column : char `name'[column]
    order `number', after(`name')
    drop `name'
    rename `number' `name'
    char `name'[column] "`column'"
    quietly compress `name'
end

* The absence codes of a form into a file: one row a record, _reason1 for the first item.
capture program drop saphena_reasons
program define saphena_reasons
    args path form keys items
    read_absence_codes
    quietly keep if form == "`form'"
    quietly generate ulcer = occurrence
    keep `keys' item code
    rename code _reason
    quietly generate long number = .
    local number 0
    foreach item of local items {
        local ++number
        quietly replace number = `number' if item == "`item'"
    }
    quietly drop if missing(number)
    drop item
    if _N > 0 {
        quietly reshape wide _reason, i(`keys') j(number)
        quietly save "`path'", replace
    }
end

* Lay the reasons of a record beside its values.
capture program drop saphena_beside
program define saphena_beside
    args path keys
    capture confirm file "`path'"
    if _rc exit
    tempvar place
    quietly generate long `place' = _n
    quietly merge 1:1 `keys' using "`path'", keep(master match) nogenerate
    sort `place'
end

* The reason why a value is missing, as one of Stata's missing values.
capture program drop saphena_missing
program define saphena_missing
    args name number
    capture confirm variable _reason`number', exact
    if _rc exit{% for code, value, label in missing %}
    quietly replace `name' = {{ value }} if `name' == . & _reason`number' == "{{ code }}"{% endfor %}
end
{{ programs }}

local tables "{{ tables|join:" " }}"
local known : list table in tables
if !`known' | "`table'" == "" {
    display as error "Which table?  do load.do TABLE, of: `tables'"
    exit 198
}
load_`table'
{% endautoescape %}
