# shellcheck shell=bash
# Sourced by image and build: what an image may be called.

# is_reference REF: a name with at most a tag, as the Docker archive's RepoTags holds it. A digest is
# not known before the image is made.
is_reference() {
  local host='[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?'
  local part='[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*' tag='[A-Za-z0-9_][A-Za-z0-9._-]{0,127}'
  [ "${#1}" -le 512 ] && [[ $1 =~ ^($host/)?$part(/$part)*(:$tag)?$ ]]
}
