{% comment %}See registry/exports/formats/transport.py.{% endcomment %}{% autoescape off %}/*
The labels of this dataset's values, as SAS has them: formats, and which variables have which.
In SAS 9.4 in UTF-8 (the files' encoding), with FOLDER the folder of this file:

  libname study "FOLDER";
  %include "FOLDER/formats.sas";
  %saphena(study, FOLDER)

reads every file of the folder into the library and gives its variables their formats. A variable
whose name ends in _absent says why the item is missing in the row.
*/

proc format;{% for name, labels in formats %}
  value {{ name }}{% for number, label in labels %}
    {{ number }} = '{{ label }}'{% endfor %};{% endfor %}
run;

%macro saphena(library, folder);{% for table, variables in tables.items %}
  %xpt2loc(libref=&library, memlist={{ table }}, filespec="&folder/{{ table }}.xpt"){% if variables %}
  proc datasets library=&library nolist;
    modify {{ table }};
    format{% for variable, format in variables %}
      {{ variable }} {{ format }}.{% endfor %};
  quit;{% endif %}{% endfor %}
%mend;
{% endautoescape %}
