# make                                  builds davit as it is distributed (dist/build); root adds the list of hot functions
# make install DESTDIR= PREFIX=/usr     installs the program, man pages and completions; builds nothing
# make uninstall DESTDIR= PREFIX=/usr   removes them
#
# Another program than dist/build's: make install PROGRAM=target/release/davit
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
PROGRAM ?= $(firstword $(wildcard target/dist/$(shell rustc -vV | sed -n 's/^host: //p')/davit))
INSTALL ?= install

all:
	dist/build

install:
	@test -n "$(PROGRAM)" || { echo "make install: no program yet: run make, or name one with PROGRAM=" >&2; exit 1; }
	$(INSTALL) -D -m 755 "$(PROGRAM)" "$(DESTDIR)$(BINDIR)/davit"
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(MANDIR)/man8" man/*.8
	$(INSTALL) -D -m 644 completions/davit.bash "$(DESTDIR)$(BASHDIR)/davit"
	$(INSTALL) -D -m 644 completions/_davit "$(DESTDIR)$(ZSHDIR)/_davit"
	$(INSTALL) -D -m 644 completions/davit.fish "$(DESTDIR)$(FISHDIR)/davit.fish"

uninstall:
	rm -f "$(DESTDIR)$(BINDIR)/davit" "$(DESTDIR)$(BASHDIR)/davit" "$(DESTDIR)$(ZSHDIR)/_davit" "$(DESTDIR)$(FISHDIR)/davit.fish"
	for page in man/*.8; do rm -f "$(DESTDIR)$(MANDIR)/man8/$${page##*/}"; done

.PHONY: all install uninstall
